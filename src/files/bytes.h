// Bytes: a read-only range of memory that knows who keeps it alive and what to call itself in an error message.
//
// Who owns what: every Bytes shares one owner (a mapping, a buffer, somebody else's object, or nobody for borrowed memory).
// The owner lives until the last copy or slice is gone. Nothing here is ever written through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenure::files {

class Bytes {
 public:
  Bytes() = default;
  /// Maps a regular file. The file must not be shortened in place while it is mapped; replacing it by rename is safe.
  /// Throws NotFound if it does not exist, Io with the system's reason otherwise.
  static Bytes map(const std::string& path);
  /// The caller keeps the memory alive for as long as any copy or slice lives.
  static Bytes borrow(std::span<const std::byte> bytes, std::string name = "<memory>");
  static Bytes own(std::vector<std::byte> bytes, std::string name = "<memory>");
  /// `owner` keeps the memory alive.
  static Bytes keep(std::shared_ptr<const void> owner, std::span<const std::byte> bytes, std::string name);
  /// A new buffer of `size` bytes, filled by `fill`. Throws OutOfMemory if there is no room for it.
  static Bytes make(size_t size, std::string name, const std::function<void(std::span<std::byte>)>& fill);
  static Bytes copy(std::string_view text, std::string name = "<memory>");

  const std::byte* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::span<const std::byte> span() const noexcept { return {data_, size_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  /// The path, or what the maker called it.
  const std::string& name() const noexcept;
  /// The part [offset, offset + size), sharing the owner. Throws Io if it is not inside.
  Bytes slice(size_t offset, size_t size) const;
  /// The same bytes under another name.
  Bytes named(std::string name) const;
  /// Copies them to `to`, many of them by the team. Pages of a mapped file do not stay in memory behind it.
  void copy_to(std::byte* to) const noexcept;
  /// Pages of a mapped file leave memory; they are read again when somebody looks.
  void let_go() const noexcept { let_go(0, size_); }
  /// The same for those of [offset, offset + size), which must lie inside.
  void let_go(size_t offset, size_t size) const noexcept;

 private:
  std::shared_ptr<const void> owner_;
  std::shared_ptr<const std::string> name_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  bool mapped_ = false;
};

/// A file in the making: a temporary beside `path` that becomes `path` on commit() and is removed otherwise.
/// An existing file keeps its permissions; a symbolic link is followed. Not for several threads at once.
class PendingFile {
 public:
  /// Throws Io where `path` is no file, or none can be made there.
  explicit PendingFile(const std::string& path);
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  /// Where to write: exists and is empty.
  const std::string& temporary() const noexcept { return temporary_; }
  /// Makes the bytes durable (fsync) and gives the file its name.
  void commit();

 private:
  std::string path_, temporary_;
};

/// Whether `path` is a device or a pipe: such are written in place and never replaced.
bool is_device(const std::string& path) noexcept;

/// Gives a growing buffer another size. Throws OutOfMemory naming `name`.
void resize(std::vector<std::byte>& buffer, size_t size, const std::string& name);

/// Writes to an open file. Throws Io with path and reason.
class FileSink {
 public:
  FileSink(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

 private:
  int descriptor_;
  std::string path_;
};

/// Calls `writer` with a temporary file beside `path`, then renames it. On any exception `path` is as it was and the temporary is gone.
/// A device or pipe is written directly.
void write_file_atomically(const std::string& path, const std::function<void(FileSink&)>& writer);

}  // namespace tenure::files
