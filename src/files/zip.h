// Zip archives: reading untrusted ones within limits, writing plain ones.
//
// Who owns what: a ZipFile shares the archive's bytes and owns libzip's directory; a member that is read shares the archive's bytes
// (stored) or owns its own (deflated), so it outlives the ZipFile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "files/bytes.h"

namespace tenure::files {

/// What an archive may ask for before it is refused.
struct ZipLimits {
  uint64_t max_members = 65536;
  uint64_t max_total_bytes = uint64_t{64} << 30;  ///< all members together, expanded
  double max_ratio = 1000;                        ///< expanded to packed, of one member and of the whole archive
  uint64_t free_bytes = uint64_t{16} << 20;       ///< up to here the ratio does not matter
};

struct ZipMember {
  std::string name;
  uint64_t size = 0;    ///< expanded
  uint64_t packed = 0;  ///< in the archive
  bool stored = false;
  uint32_t crc = 0;
};

/// Reads a zip archive. One thread at a time.
class ZipFile {
 public:
  /// Checks the whole directory. Throws Io for a damaged or dangerous archive (absolute names, "..", backslashes, duplicates, links,
  /// sizes that contradict the directory, limits), Unsupported for encryption and for methods other than stored and deflated.
  explicit ZipFile(Bytes archive, ZipLimits limits = {});
  ~ZipFile();
  ZipFile(ZipFile&&) noexcept;
  ZipFile& operator=(ZipFile&&) noexcept;

  /// The files in the archive's order; folders are left out.
  const std::vector<ZipMember>& members() const noexcept;
  const ZipMember* find(std::string_view name) const noexcept;
  /// The member's bytes, checksum verified; named "archive!member". Stored members are slices of the archive.
  /// Throws NotFound for an unknown name, Io for damaged content.
  Bytes read(std::string_view name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Collects members, then writes all of them at once: stored, dated 1980-01-01, zip64 where sizes ask for it.
class ZipWriter {
 public:
  /// The member is the parts one after the other, which are shared until the archive is written.
  /// Throws InvalidArgument for a name that ZipFile would refuse or that is already there.
  void add(std::string name, std::vector<Bytes> parts);
  void add(std::string name, Bytes bytes) { add(std::move(name), std::vector<Bytes>{std::move(bytes)}); }
  /// Replaces `path` in one step, or leaves it as it was and throws Io.
  void write(const std::string& path) const;
  Bytes to_bytes(std::string name = "<memory>") const;

 private:
  struct Member {
    std::string name;
    std::vector<Bytes> parts;
  };
  std::vector<Member> members_;
  std::set<std::string> names_;
};

/// Why an archive may not hold this member name, or nothing if it may.
std::optional<std::string> unsafe_member_name(std::string_view name);

}  // namespace tenure::files
