#include "files/bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/parallel.h"

namespace tenure::files {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_system(const char* what, const std::string& path, int error) {
  const Code code = error == ENOENT ? Code::NotFound : error == ENOMEM ? Code::OutOfMemory : Code::Io;
  fail(code, "cannot {} {}: {}", what, path, std::generic_category().message(error));
}

constexpr size_t most_bytes = size_t{1} << 47;  // an address space

/// Owns an open file.
class Descriptor {
 public:
  explicit Descriptor(int value) noexcept : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return value_; }
  /// 0 or the error; the file is closed either way.
  int close() noexcept { return ::close(std::exchange(value_, -1)) == 0 ? 0 : errno; }

 private:
  int value_;
};

void sync_folder_of(const std::string& path) {
  fs::path folder = fs::path(path).parent_path();
  Descriptor file(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() >= 0) (void)::fsync(file.get());  // some file systems refuse it for folders: the rename stands all the same
}

/// The file that a chain of symbolic links names, which need not exist.
std::string follow_links(std::string path) {
  for (int i = 0; i < 40; ++i) {
    std::error_code error;
    if (!fs::is_symlink(path, error)) return path;
    const fs::path target = fs::read_symlink(path, error);
    if (error) fail_system("follow the link", path, error.value());
    path = (target.is_absolute() ? target : fs::path(path).parent_path() / target).string();
  }
  fail_system("follow the link", path, ELOOP);
}

}  // namespace

Bytes Bytes::map(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) fail_system("open", path, errno);
  struct stat info = {};
  if (::fstat(file.get(), &info) != 0) fail_system("examine", path, errno);
  check(S_ISREG(info.st_mode), Code::Io, "cannot read {}: expected a file, got {}", path, S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
  const size_t size = static_cast<size_t>(info.st_size);
  if (size == 0) return keep(nullptr, {}, path);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) fail_system("map", path, errno);
  std::shared_ptr<const void> owner(address, [size](void* p) { ::munmap(p, size); });
  Bytes b = keep(std::move(owner), {static_cast<const std::byte*>(address), size}, path);
  b.mapped_ = true;
  return b;
}

Bytes Bytes::borrow(std::span<const std::byte> bytes, std::string name) { return keep(nullptr, bytes, std::move(name)); }

Bytes Bytes::own(std::vector<std::byte> bytes, std::string name) {
  auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  const std::span<const std::byte> range = *owner;
  return keep(std::move(owner), range, std::move(name));
}

Bytes Bytes::keep(std::shared_ptr<const void> owner, std::span<const std::byte> bytes, std::string name) {
  Bytes b;
  b.owner_ = std::move(owner);
  b.name_ = std::make_shared<const std::string>(std::move(name));
  b.data_ = bytes.data();
  b.size_ = bytes.size();
  return b;
}

Bytes Bytes::make(size_t size, std::string name, const std::function<void(std::span<std::byte>)>& fill) {
  std::shared_ptr<std::byte[]> owner;
  try {
    if (size > most_bytes) throw std::bad_alloc();
    owner.reset(new std::byte[size]);
  } catch (const std::bad_alloc&) { fail(Code::OutOfMemory, "no memory for {} bytes of {}", size, name); }
  fill({owner.get(), size});
  std::byte* data = owner.get();
  return keep(std::move(owner), {data, size}, std::move(name));
}

Bytes Bytes::copy(std::string_view text, std::string name) {
  const auto* p = reinterpret_cast<const std::byte*>(text.data());
  return own(std::vector<std::byte>(p, p + text.size()), std::move(name));
}

const std::string& Bytes::name() const noexcept {
  static const std::string memory = "<memory>";
  return name_ ? *name_ : memory;
}

void Bytes::let_go(size_t offset, size_t size) const noexcept {
  if (!mapped_ || size == 0) return;
  static const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<uintptr_t>(data_) + offset, first = start / page * page;
  (void)::madvise(reinterpret_cast<void*>(first), start + size - first, MADV_DONTNEED);  // nothing was ever written to a mapping of ours
}

void Bytes::copy_to(std::byte* to) const noexcept {
  constexpr size_t step = size_t{256} << 10, around = size_t{64} << 10;  // a page that is read brings its neighbours, also those that were let go
  parallel_for(static_cast<int64_t>((size_ + step - 1) / step), 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const size_t at = static_cast<size_t>(i) * step, n = std::min(step, size_ - at), from = at > around ? at - around : 0;
      std::memcpy(to + at, data_ + at, n);
      let_go(from, at + n - from);
    }
  });
}

Bytes Bytes::slice(size_t offset, size_t size) const {
  check(offset <= size_ && size <= size_ - offset, Code::Io, "{}: expected {} bytes at offset {}, but it ends at {}", name(), size, offset, size_);
  Bytes b = *this;
  b.data_ = data_ ? data_ + offset : nullptr;
  b.size_ = size;
  return b;
}

Bytes Bytes::named(std::string name) const {
  Bytes b = *this;
  b.name_ = std::make_shared<const std::string>(std::move(name));
  return b;
}

PendingFile::PendingFile(const std::string& path) : path_(follow_links(path)) {
  struct stat info = {};
  const bool exists = ::stat(path_.c_str(), &info) == 0;
  check(!exists || S_ISREG(info.st_mode), Code::Io, "cannot write {}: it is {}", path_, S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
  if (exists && ::access(path_.c_str(), W_OK) != 0) fail_system("write", path_, errno);
  static std::atomic<uint64_t> counter{0};
  for (int attempt = 0;; ++attempt) {
    temporary_ = fmt::format("{}.{}-{}.tmp", path_, ::getpid(), counter++);
    Descriptor file(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file.get() >= 0) {
      if (exists) (void)::fchmod(file.get(), info.st_mode & 07777);
      return;
    }
    if (errno != EEXIST || attempt == 100) fail_system("write", path_, errno);
  }
}

PendingFile::~PendingFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void PendingFile::commit() {
  Descriptor file(::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) fail_system("write", path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_system("write", path_, errno);
  temporary_.clear();
  sync_folder_of(path_);
}

bool is_device(const std::string& path) noexcept {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

void resize(std::vector<std::byte>& buffer, size_t size, const std::string& name) {
  try {
    if (size > most_bytes) throw std::bad_alloc();
    buffer.resize(size);
  } catch (const std::bad_alloc&) { fail(Code::OutOfMemory, "no memory for {} bytes of {}", size, name); }
}

void FileSink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), std::min<size_t>(bytes.size(), size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_system("write", path_, errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

namespace {
void write_to(const std::string& open_path, const std::string& path, const std::function<void(FileSink&)>& writer) {
  Descriptor file(::open(open_path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) fail_system("write", path, errno);
  FileSink sink(file.get(), path);
  writer(sink);
  if (const int error = file.close()) fail_system("write", path, error);
}
}  // namespace

void write_file_atomically(const std::string& path, const std::function<void(FileSink&)>& writer) {
  if (is_device(path)) return write_to(path, path, writer);
  PendingFile pending(path);
  write_to(pending.temporary(), path, writer);
  pending.commit();
}

}  // namespace tenure::files
