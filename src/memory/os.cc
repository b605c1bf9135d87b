#include "memory/os.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace tenure::memory {

Resident resident() noexcept {
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char text[128];
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return {};
  text[n] = 0;
  size_t size = 0, total = 0, shared = 0;
  if (std::sscanf(text, "%zu %zu %zu", &size, &total, &shared) != 3) return {};
  auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return {total * page, shared * page};
}

size_t resident_peak() noexcept {
  std::FILE* status = std::fopen("/proc/self/status", "re");
  if (!status) return 0;
  size_t kib = 0;
  for (char line[256]; std::fgets(line, sizeof line, status);)
    if (std::sscanf(line, "VmHWM: %zu kB", &kib) == 1) break;
  std::fclose(status);
  return kib << 10;
}

namespace {
const size_t at_load = [] {
  Resident r = resident();
  return r.total - r.file_backed;
}();
const void* const break_at_load = sbrk(0);
}  // namespace

size_t resident_at_load() noexcept { return at_load; }

size_t heap_resident() noexcept {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(break_at_load) + page - 1) / page * page, end = reinterpret_cast<uintptr_t>(sbrk(0));
  return end > begin ? resident_in(reinterpret_cast<const void*>(begin), end - begin) : 0;
}

size_t resident_in(const void* at, size_t bytes) noexcept {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  unsigned char in_memory[1024];
  size_t sum = 0;
  for (size_t done = 0; done < bytes;) {
    const size_t pages = std::min(sizeof in_memory, (bytes - done + page - 1) / page);
    if (mincore(const_cast<std::byte*>(static_cast<const std::byte*>(at)) + done, pages * page, in_memory) != 0) return bytes;
    sum += page * static_cast<size_t>(std::count_if(in_memory, in_memory + pages, [](unsigned char p) { return p & 1; }));
    done += pages * page;
  }
  return std::min(sum, bytes);
}

bool fence_all_threads() noexcept {
  auto call = [](int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; };
  if (call(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return true;
  return call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && call(MEMBARRIER_CMD_PRIVATE_EXPEDITED);  // the first time
}

}  // namespace tenure::memory
