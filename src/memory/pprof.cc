// profile.proto, the format of pprof (github.com/google/pprof/proto): written field by field, in a gzip member of stored blocks.
#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include "base/check.h"
#include "memory/moment.h"
#include "memory/write_file.h"

namespace tenure::memory {
namespace {

// Fields of a message: varints and length-delimited parts.
class Message {
 public:
  void number(int field, uint64_t value) {
    if (!value) return;
    varint(static_cast<uint64_t>(field) << 3);
    varint(value);
  }
  void part(int field, std::string_view bytes) {
    varint(static_cast<uint64_t>(field) << 3 | 2);
    varint(bytes.size());
    out_ += bytes;
  }
  void packed(int field, const std::vector<uint64_t>& values) {
    Message m;
    for (uint64_t v : values) m.varint(v);
    part(field, m.out_);
  }
  const std::string& bytes() const noexcept { return out_; }

 private:
  void varint(uint64_t n) {
    for (; n >= 128; n >>= 7) out_ += static_cast<char>(n | 128);
    out_ += static_cast<char>(n);
  }
  std::string out_;
};

uint32_t crc32(std::string_view data) {
  std::array<uint32_t, 256> table;
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
    table[i] = c;
  }
  uint32_t crc = ~0u;
  for (char ch : data) crc = table[(crc ^ static_cast<unsigned char>(ch)) & 255] ^ crc >> 8;
  return ~crc;
}

// RFC 1952 around RFC 1951's stored blocks.
std::string gzip(std::string_view data) {
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  auto little = [&](uint32_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(v >> 8 * i);
  };
  size_t at = 0;
  do {
    auto n = static_cast<uint32_t>(std::min<size_t>(data.size() - at, 65535));
    out += static_cast<char>(at + n == data.size() ? 1 : 0);
    little(n, 2), little(n ^ 0xffff, 2);
    out += data.substr(at, n);
    at += n;
  } while (at < data.size());
  little(crc32(data), 4), little(static_cast<uint32_t>(data.size()), 4);
  return out;
}

class Profile {
 public:
  uint64_t string(std::string_view text) {
    auto [it, fresh] = strings_.try_emplace(std::string(text), strings_.size());
    if (fresh) list_.push_back(it->first);
    return it->second;
  }
  Profile() { string(""); }
  // The frames of an account's path, innermost first.
  std::vector<uint64_t> frames(std::string_view path) {
    std::vector<uint64_t> out;
    while (!path.empty()) {
      size_t slash = path.rfind('/');
      std::string_view name = slash == path.npos ? path : path.substr(slash + 1);
      if (!name.empty()) out.push_back(location(name));
      path = slash == path.npos ? std::string_view{} : path.substr(0, slash);
    }
    if (out.empty()) out.push_back(location("/"));
    return out;
  }
  void value_type(int field, const char* type, const char* unit) {
    Message m;
    m.number(1, string(type)), m.number(2, string(unit));
    whole_.part(field, m.bytes());
  }
  void sample(const std::vector<uint64_t>& frames, const std::vector<uint64_t>& values, std::string_view category) {
    Message m, label;
    m.packed(1, frames), m.packed(2, values);
    label.number(1, string("category")), label.number(2, string(category));
    if (!category.empty()) m.part(3, label.bytes());
    whole_.part(2, m.bytes());
  }
  std::string finish() {
    for (uint64_t id = 1; id <= names_.size(); ++id) {
      Message line, location, function;
      line.number(1, id);
      location.number(1, id), location.part(4, line.bytes());
      function.number(1, id), function.number(2, names_[id - 1]), function.number(3, names_[id - 1]);
      whole_.part(4, location.bytes()), whole_.part(5, function.bytes());
    }
    whole_.number(14, string("space"));
    auto now = std::chrono::system_clock::now().time_since_epoch();
    whole_.number(9, static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()));
    for (const std::string& s : list_) whole_.part(6, s);
    return whole_.bytes();
  }

 private:
  // A location for each name: they have no addresses.
  uint64_t location(std::string_view name) {
    auto [it, fresh] = locations_.try_emplace(std::string(name), locations_.size() + 1);
    if (fresh) names_.push_back(string(name));
    return it->second;
  }
  Message whole_;
  std::map<std::string, uint64_t> strings_, locations_;
  std::vector<std::string> list_;
  std::vector<uint64_t> names_;
};

}  // namespace

void Moment::export_pprof(const std::string& path) const {
  Profile p;
  p.value_type(1, "objects", "count"), p.value_type(1, "space", "bytes");
  p.value_type(1, "alloc_objects", "count"), p.value_type(1, "alloc_space", "bytes");
  std::map<std::string_view, std::map<Category, std::array<uint64_t, 2>>> live;
  for (const auto& o : data_->graph.objects) {
    if (o.kind != Kind::storage) continue;
    auto& row = live[data_->graph.strings.at(o.account)][o.category];
    ++row[0], row[1] += o.bytes;
  }
  // What was ever allocated is known by account, what is live also by category: the first row of an account has the former.
  for (const AccountTotals& a : data_->accounts) {
    auto frames = p.frames(a.path);
    uint64_t allocations = a.allocations, bytes = a.allocated_bytes;
    for (auto& [category, row] : live[a.path])
      p.sample(frames, {row[0], row[1], std::exchange(allocations, 0), std::exchange(bytes, 0)}, to_string(category));
    if (allocations) p.sample(frames, {0, 0, allocations, bytes}, "");
  }
  write_file("export_pprof", path, gzip(p.finish()));
}

void export_pprof(const std::string& path) { Moment::now().export_pprof(path); }

}  // namespace tenure::memory
