#include "files/gz.h"

#include <zlib.h>

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace tenure::files {
namespace {

constexpr size_t step = size_t{1} << 30;  // zlib counts in 32 bits

/// Owns zlib's state for one input.
class Inflater {
 public:
  Inflater(std::span<const std::byte> packed, int window, const std::string& where) : left_(packed), where_(where) {
    check(inflateInit2(&stream_, window) == Z_OK, Code::OutOfMemory, "{}: no memory to unpack it", where);
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Fills `to` as far as the current stream goes; ended() tells whether it did.
  size_t read(std::span<std::byte> to) {
    size_t done = 0;
    while (!ended_ && done < to.size()) {
      if (stream_.avail_in == 0) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(left_.data()));  // zlib only reads through this pointer
        stream_.avail_in = static_cast<uInt>(std::min(left_.size(), step));
        left_ = left_.subspan(stream_.avail_in);
      }
      const size_t room = std::min(to.size() - done, step);
      stream_.next_out = reinterpret_cast<Bytef*>(to.data() + done);
      stream_.avail_out = static_cast<uInt>(room);
      const int code = ::inflate(&stream_, Z_NO_FLUSH);
      done += room - stream_.avail_out;
      ended_ = code == Z_STREAM_END;
      check(ended_ || code == Z_OK, Code::Io, "{}: the packed data is {} ({})", where_, code == Z_BUF_ERROR ? "cut off" : "damaged",
            stream_.msg ? stream_.msg : zError(code));
    }
    return done;
  }
  bool ended() const noexcept { return ended_; }
  size_t unread() const noexcept { return left_.size() + stream_.avail_in; }
  /// Begins the next stream of the same input.
  void restart() {
    inflateReset(&stream_);
    ended_ = false;
  }

 private:
  z_stream stream_ = {};
  std::span<const std::byte> left_;
  const std::string& where_;
  bool ended_ = false;
};

}  // namespace

bool is_gzip(const Bytes& bytes) noexcept { return bytes.size() >= 2 && bytes.data()[0] == std::byte{0x1f} && bytes.data()[1] == std::byte{0x8b}; }

Bytes gunzip(const Bytes& packed, uint64_t max_bytes) {
  check(is_gzip(packed), Code::Io, "{}: not a gzip file", packed.name());
  Inflater inflater(packed.span(), 16 + MAX_WBITS, packed.name());
  std::vector<std::byte> out;
  for (size_t used = 0;;) {
    // One byte above the limit: room to see that the stream really ends there.
    if (used == out.size()) resize(out, std::min<uint64_t>(max_bytes + 1, std::max<uint64_t>(used * 2, packed.size() * 3 + 1024)), packed.name());
    used += inflater.read(std::span(out).subspan(used));
    check(used <= max_bytes, Code::Io, "{}: expands to more than {} bytes", packed.name(), max_bytes);
    if (!inflater.ended()) continue;
    if (inflater.unread() > 0) {
      inflater.restart();
      continue;
    }
    out.resize(used);
    return Bytes::own(std::move(out), packed.name());
  }
}

size_t inflate_zlib(std::span<const std::byte> packed, std::span<std::byte> to, const std::string& where) {
  Inflater inflater(packed, MAX_WBITS, where);
  const size_t n = inflater.read(to);
  if (!inflater.ended()) {
    std::byte extra[1];
    check(inflater.read(extra) == 0, Code::Io, "{}: unpacks to more than the expected {} bytes", where, to.size());
  }
  return n;
}

}  // namespace tenure::files
