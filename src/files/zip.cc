#include "files/zip.h"

#include <libdeflate.h>
#include <sys/stat.h>
#include <zip.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/parallel.h"

namespace tenure::files {
namespace {

/// The checksum of a zip's member, every piece on the thread that is free for it. Pages of a mapped file do not stay in memory behind it.
uint32_t checksum(const Bytes& bytes) {
  constexpr size_t piece = size_t{1} << 20;
  std::vector<uint32_t> of((bytes.size() + piece - 1) / piece);
  parallel_for(static_cast<int64_t>(of.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const size_t at = static_cast<size_t>(i) * piece, n = std::min(piece, bytes.size() - at);
      of[static_cast<size_t>(i)] = libdeflate_crc32(0, bytes.data() + at, n);
      bytes.let_go(at, n);
    }
  });
  uint32_t all = 0;
  for (size_t i = 0; i < of.size(); ++i)
    all = static_cast<uint32_t>(crc32_combine(all, of[i], static_cast<z_off_t>(std::min(piece, bytes.size() - i * piece))));
  return all;
}

/// Hands the archive's bytes to libzip and watches where it reads: that is how the place of a stored member becomes known.
struct Feed {
  Bytes bytes;
  uint64_t position = 0;
  bool watching = false, contiguous = true;
  std::optional<uint64_t> first;
  uint64_t next = 0;
  zip_error_t error = {};

  void watch() {
    watching = true, contiguous = true;
    first.reset();
  }
  int64_t read(void* to, uint64_t n) {
    n = std::min<uint64_t>(n, bytes.size() - position);
    if (watching && n > 0) {
      if (!first) first = next = position;
      contiguous &= next == position;
      next = position + n;
    }
    if (n > 0) std::memcpy(to, bytes.data() + position, n);
    position += n;
    return static_cast<int64_t>(n);
  }
};

zip_int64_t feed_callback(void* user, void* data, zip_uint64_t size, zip_source_cmd_t command) {
  Feed& feed = *static_cast<Feed*>(user);
  switch (command) {
    case ZIP_SOURCE_OPEN: feed.position = 0; return 0;
    case ZIP_SOURCE_READ: return feed.read(data, size);
    case ZIP_SOURCE_CLOSE: return 0;
    case ZIP_SOURCE_STAT: {
      auto* stat = static_cast<zip_stat_t*>(data);
      zip_stat_init(stat);
      stat->size = feed.bytes.size();
      stat->valid |= ZIP_STAT_SIZE;
      return sizeof(zip_stat_t);
    }
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&feed.error, data, size);
    case ZIP_SOURCE_FREE: return 0;
    case ZIP_SOURCE_SEEK: {
      const int64_t to = zip_source_seek_compute_offset(feed.position, feed.bytes.size(), data, size, &feed.error);
      if (to < 0) return -1;
      feed.position = static_cast<uint64_t>(to);
      return 0;
    }
    case ZIP_SOURCE_TELL: return static_cast<zip_int64_t>(feed.position);
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                            ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    default: zip_error_set(&feed.error, ZIP_ER_OPNOTSUPP, 0); return -1;
  }
}

std::string text_of(zip_error_t* error) {
  std::string text = zip_error_strerror(error);
  zip_error_fini(error);
  return text;
}

struct Discard {
  void operator()(zip_t* z) const noexcept { zip_discard(z); }
  void operator()(zip_file_t* f) const noexcept { zip_fclose(f); }
  void operator()(zip_source_t* s) const noexcept { zip_source_free(s); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using Source = std::unique_ptr<zip_source_t, Discard>;

/// Gives `source` to a new archive.
Archive open_archive(Source source, int flags, const std::string& name) {
  zip_error_t error;
  zip_error_init(&error);
  Archive archive(zip_open_from_source(source.get(), flags, &error));
  if (!archive) fail(Code::Io, "{}: not a readable zip archive ({})", name, text_of(&error));
  (void)source.release();
  return archive;
}

bool too_large(uint64_t expanded, uint64_t packed, const ZipLimits& limits) {
  return expanded > limits.free_bytes && static_cast<double>(expanded) > limits.max_ratio * static_cast<double>(packed);
}

}  // namespace

std::optional<std::string> unsafe_member_name(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > 4096) return "it is longer than 4096 bytes";
  if (name.front() == '/') return "it is absolute";
  if (name.find('\\') != std::string_view::npos) return "it contains a backslash";
  if (name.size() > 1 && name[1] == ':') return "it names a drive";
  if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 32 || c == 127; })) return "it contains a control character";
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    if (part == ".." || part == ".") return "it leaves its folder";
    if (part.empty() && end != name.size()) return "it has an empty part";
    at = end + 1;
  }
  return {};
}

struct ZipFile::State {
  std::unique_ptr<Feed> feed;
  Archive archive;
  ZipLimits limits;
  std::vector<ZipMember> members;
  std::map<std::string, std::pair<size_t, uint64_t>, std::less<>> index;  // name -> place in `members`, number in the directory

  const std::string& name() const { return feed->bytes.name(); }
  void scan();
  void add(uint64_t number, std::set<std::string>& seen);
  void check_kind(uint64_t number, const std::string& member, bool folder) const;
  Bytes read_stored(const ZipMember& member, zip_file_t* file) const;
  Bytes inflate(const ZipMember& member, zip_file_t* file) const;
};

void ZipFile::State::check_kind(uint64_t number, const std::string& member, bool folder) const {
  zip_uint8_t system = 0;
  zip_uint32_t attributes = 0;
  check(zip_file_get_external_attributes(archive.get(), number, 0, &system, &attributes) == 0, Code::Io, "{}: no attributes of member '{}'", name(),
        member);
  if (system != ZIP_OPSYS_UNIX && system != ZIP_OPSYS_OS_X) return;
  const uint32_t kind = attributes >> 16 & S_IFMT;
  check(kind == 0 || kind == S_IFREG || (folder && kind == S_IFDIR), Code::Io, "{}: member '{}' is {}, expected a file", name(), member,
        kind == S_IFLNK ? "a symbolic link" : "a special file");
}

void ZipFile::State::add(uint64_t number, std::set<std::string>& seen) {
  zip_stat_t stat;
  check(zip_stat_index(archive.get(), number, 0, &stat) == 0, Code::Io, "{}: directory entry {} is damaged", name(), number);
  constexpr uint64_t wanted = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  check((stat.valid & wanted) == wanted, Code::Io, "{}: directory entry {} is incomplete", name(), number);
  const std::string member = stat.name;
  const bool folder = !member.empty() && member.back() == '/';
  if (const auto why = unsafe_member_name(member)) fail(Code::Io, "{}: member name '{}' is refused: {}", name(), member.substr(0, 200), *why);
  check(seen.insert(member).second, Code::Io, "{}: member '{}' occurs twice", name(), member);
  check_kind(number, member, folder);
  check(stat.encryption_method == ZIP_EM_NONE, Code::Unsupported, "{}: member '{}' is encrypted", name(), member);
  check(stat.comp_method == ZIP_CM_STORE || stat.comp_method == ZIP_CM_DEFLATE, Code::Unsupported,
        "{}: member '{}' is packed by method {}, expected stored or deflated", name(), member, stat.comp_method);
  const bool stored = stat.comp_method == ZIP_CM_STORE;
  check(stat.comp_size <= feed->bytes.size() && (!stored || stat.size == stat.comp_size), Code::Io,
        "{}: the sizes of member '{}' contradict each other ({} bytes packed into {}, archive of {})", name(), member, stat.size, stat.comp_size,
        feed->bytes.size());
  check(!too_large(stat.size, stat.comp_size, limits), Code::Io, "{}: member '{}' would expand {} bytes to {}, more than {} times", name(), member,
        stat.comp_size, stat.size, limits.max_ratio);
  check(!folder || stat.size == 0, Code::Io, "{}: folder '{}' has content", name(), member);
  if (folder) return;
  index.emplace(member, std::pair(members.size(), number));
  members.push_back({member, stat.size, stat.comp_size, stored, stat.crc});
}

void ZipFile::State::scan() {
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  check(count >= 0 && static_cast<uint64_t>(count) <= limits.max_members, Code::Io, "{}: expected at most {} members, got {}", name(),
        limits.max_members, count);
  std::set<std::string> seen;
  uint64_t total = 0;
  for (uint64_t i = 0; i < static_cast<uint64_t>(count); ++i) {
    const size_t before = members.size();
    add(i, seen);
    if (members.size() == before) continue;
    const uint64_t size = members.back().size;
    check(size <= limits.max_total_bytes && total <= limits.max_total_bytes - size, Code::Io, "{}: expands to more than {} bytes", name(),
          limits.max_total_bytes);
    total += size;
  }
  check(!too_large(total, feed->bytes.size(), limits), Code::Io, "{}: would expand {} bytes to {}, more than {} times", name(), feed->bytes.size(),
        total, limits.max_ratio);
}

ZipFile::ZipFile(Bytes archive, ZipLimits limits) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.limits = limits;
  s.feed = std::make_unique<Feed>(Feed{std::move(archive)});
  check(s.feed->bytes.size() >= 22, Code::Io, "{}: not a zip archive, it has {} bytes only", s.name(), s.feed->bytes.size());
  zip_error_t error;
  zip_error_init(&error);
  Source source(zip_source_function_create(feed_callback, s.feed.get(), &error));
  if (!source) fail(Code::Io, "{}: {}", s.name(), text_of(&error));
  s.archive = open_archive(std::move(source), ZIP_RDONLY | ZIP_CHECKCONS, s.name());
  s.scan();
}

ZipFile::~ZipFile() = default;
ZipFile::ZipFile(ZipFile&&) noexcept = default;
ZipFile& ZipFile::operator=(ZipFile&&) noexcept = default;

const std::vector<ZipMember>& ZipFile::members() const noexcept { return state_->members; }

const ZipMember* ZipFile::find(std::string_view name) const noexcept {
  const auto it = state_->index.find(name);
  return it == state_->index.end() ? nullptr : &state_->members[it->second.first];
}

Bytes ZipFile::State::read_stored(const ZipMember& member, zip_file_t* file) const {
  if (member.size == 0) return feed->bytes.slice(0, 0);
  // libzip reads the beginning, which tells where the member lies; the rest is looked at in its place.
  std::array<std::byte, 256> beginning;
  const size_t wanted = std::min<size_t>(beginning.size(), member.size);
  const zip_int64_t n = zip_fread(file, beginning.data(), wanted);
  check(n >= 0, Code::Io, "{}: member '{}' is damaged ({})", name(), member.name, zip_file_strerror(file));
  check(static_cast<uint64_t>(n) == wanted, Code::Io, "{}: expected {} bytes in member '{}', got {}", name(), member.size, member.name, n);
  ensure(feed->first && feed->contiguous, "a stored member was not read in one piece");
  const uint64_t left = feed->bytes.size() - *feed->first;
  check(member.size <= left, Code::Io, "{}: expected {} bytes in member '{}', got {}", name(), member.size, member.name, left);
  Bytes bytes = feed->bytes.slice(*feed->first, member.size);
  check(std::equal(beginning.begin(), beginning.begin() + n, bytes.data()), Code::Io, "{}: member '{}' does not lie where it is said to", name(),
        member.name);
  const uint32_t crc = checksum(bytes);
  check(crc == member.crc, Code::Io, "{}: member '{}' is damaged (expected the checksum {:08x}, got {:08x})", name(), member.name, member.crc, crc);
  return bytes;
}

Bytes ZipFile::State::inflate(const ZipMember& member, zip_file_t* file) const {
  // Grows with what really comes out: a directory that lies about a size costs nothing.
  std::vector<std::byte> out;
  for (size_t used = 0;;) {
    if (used == out.size()) resize(out, std::min<uint64_t>(member.size + 1, std::max<uint64_t>(used * 2, size_t{256} << 10)), name());
    const zip_int64_t n = zip_fread(file, out.data() + used, std::min<size_t>(out.size() - used, size_t{1} << 30));
    check(n >= 0, Code::Io, "{}: member '{}' is damaged ({})", name(), member.name, zip_file_strerror(file));
    used += static_cast<size_t>(n);
    check(used <= member.size, Code::Io, "{}: member '{}' is longer than the {} bytes that the directory tells", name(), member.name, member.size);
    if (n > 0) continue;
    check(used == member.size, Code::Io, "{}: expected {} bytes in member '{}', got {}", name(), member.size, member.name, used);
    out.resize(used);
    return Bytes::own(std::move(out));
  }
}

Bytes ZipFile::read(std::string_view name) const {
  const State& s = *state_;
  const auto it = s.index.find(name);
  check(it != s.index.end(), Code::NotFound, "{}: no member '{}'", s.name(), name);
  const ZipMember& member = s.members[it->second.first];
  std::unique_ptr<zip_file_t, Discard> file(zip_fopen_index(s.archive.get(), it->second.second, 0));
  check(file != nullptr, Code::Io, "{}: cannot open member '{}' ({})", s.name(), name, zip_strerror(s.archive.get()));
  s.feed->watch();
  const Bytes bytes = member.stored ? s.read_stored(member, file.get()) : s.inflate(member, file.get());
  s.feed->watching = false;
  return bytes.named(fmt::format("{}!{}", s.name(), name));
}

namespace {

/// An end record and nothing else; libzip writes no archive without members.
constexpr std::string_view empty_archive{"PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22};

[[noreturn]] void fail_writing(const std::string& path, zip_t* archive) { fail(Code::Io, "cannot write {}: {}", path, zip_strerror(archive)); }

void add_member(zip_t* archive, const std::string& name, const std::vector<Bytes>& parts, const std::string& path) {
  std::vector<zip_buffer_fragment_t> fragments;
  for (const Bytes& part : parts)
    if (!part.empty())  // libzip only reads through this pointer
      fragments.push_back({reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(part.data())), part.size()});
  zip_error_t error;
  zip_error_init(&error);
  Source source(fragments.empty() ? zip_source_buffer_create(nullptr, 0, 0, &error)
                                  : zip_source_buffer_fragment_create(fragments.data(), fragments.size(), 0, &error));
  if (!source) fail(Code::Io, "cannot write {}: {}", path, text_of(&error));
  const zip_int64_t i = zip_file_add(archive, name.c_str(), source.get(), ZIP_FL_ENC_UTF_8);
  if (i < 0) fail_writing(path, archive);
  (void)source.release();
  constexpr zip_uint16_t date_1980_01_01 = 1 << 5 | 1;
  const auto n = static_cast<zip_uint64_t>(i);
  if (zip_set_file_compression(archive, n, ZIP_CM_STORE, 0) != 0 || zip_file_set_dostime(archive, n, 0, date_1980_01_01, 0) != 0 ||
      zip_file_set_external_attributes(archive, n, 0, ZIP_OPSYS_UNIX, static_cast<zip_uint32_t>(S_IFREG | 0644) << 16) != 0)
    fail_writing(path, archive);
}

/// Closing writes everything; an archive that could not be written is discarded.
void close_archive(Archive archive, const std::string& path) {
  if (zip_close(archive.get()) != 0) fail_writing(path, archive.get());
  (void)archive.release();
}

}  // namespace

void ZipWriter::add(std::string name, std::vector<Bytes> parts) {
  const auto why = unsafe_member_name(name);
  check(!why, Code::InvalidArgument, "zip: member name '{}' is refused: {}", name, why.value_or(""));
  check(names_.insert(name).second, Code::InvalidArgument, "zip: member '{}' occurs twice", name);
  members_.push_back({std::move(name), std::move(parts)});
}

Bytes ZipWriter::to_bytes(std::string name) const {
  if (members_.empty()) return Bytes::copy(empty_archive, std::move(name));
  zip_error_t error;
  zip_error_init(&error);
  Source source(zip_source_buffer_create(nullptr, 0, 0, &error));
  if (!source) fail(Code::Io, "cannot write {}: {}", name, text_of(&error));
  zip_source_keep(source.get());  // one reference for the archive, one for reading back
  Archive archive = open_archive(Source(source.get()), ZIP_TRUNCATE, name);
  for (const Member& m : members_) add_member(archive.get(), m.name, m.parts, name);
  close_archive(std::move(archive), name);
  zip_stat_t stat;
  const bool readable = zip_source_stat(source.get(), &stat) == 0 && (stat.valid & ZIP_STAT_SIZE) && zip_source_open(source.get()) == 0;
  check(readable, Code::Io, "cannot write {}: {}", name, zip_error_strerror(zip_source_error(source.get())));
  Bytes out = Bytes::make(stat.size, name, [&](std::span<std::byte> to) {
    const zip_int64_t n = zip_source_read(source.get(), to.data(), to.size());
    check(n == static_cast<zip_int64_t>(to.size()), Code::Io, "cannot write {}: {} of {} bytes", name, n, to.size());
  });
  zip_source_close(source.get());
  return out;
}

void ZipWriter::write(const std::string& path) const {
  // libzip replaces files on its own; what it must not replace, or cannot write, goes through memory.
  if (members_.empty() || is_device(path)) return write_file_atomically(path, [&](FileSink& sink) { sink.write(to_bytes().span()); });
  PendingFile pending(path);
  zip_error_t error;
  zip_error_init(&error);
  Source source(zip_source_file_create(pending.temporary().c_str(), 0, -1, &error));
  if (!source) fail(Code::Io, "cannot write {}: {}", path, text_of(&error));
  Archive archive = open_archive(std::move(source), ZIP_TRUNCATE, path);
  for (const Member& m : members_) add_member(archive.get(), m.name, m.parts, path);
  close_archive(std::move(archive), path);
  pending.commit();
}

}  // namespace tenure::files
