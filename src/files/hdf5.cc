// Nodes: finding, attributes, values.
#include "files/hdf5.h"

#include <algorithm>

#include "files/hdf5_format.h"

namespace tenure::files {

using hdf5::Attribute;
using hdf5::Body;
using hdf5::Datatype;
using hdf5::Link;
using hdf5::Message;
using hdf5::MessageType;

namespace {

constexpr bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// The run of digits at `at` without leading zeros; moves `at` behind it.
std::string_view digits(std::string_view s, size_t& at) noexcept {
  while (at < s.size() && s[at] == '0') ++at;
  const size_t begin = at;
  while (at < s.size() && digit(s[at])) ++at;
  return s.substr(begin, at - begin);
}

std::shared_ptr<const Body> open_object(std::shared_ptr<const hdf5::Image> image, std::string path, int depth, uint64_t address) {
  check(depth <= image->limits.max_depth, Code::Unsupported, "{}: {}: groups more than {} deep (byte {})", image->bytes.name(), path,
        image->limits.max_depth, address);
  auto body = std::make_shared<Body>();
  body->image = std::move(image);
  body->path = std::move(path);
  body->depth = depth;
  body->address = address;
  body->messages = hdf5::parse_header(*body->image, body->path, address);
  const auto has = [&](MessageType type) { return body->find(type) != nullptr; };
  body->group = !has(MessageType::layout) && (has(MessageType::symbol_table) || has(MessageType::link_info) || has(MessageType::link));
  if (body->group) {
    body->image->claim(address, body->path);
    body->links = hdf5::parse_links(*body);
  }
  return body;
}

/// Attributes in a form that is not read must not look as if they were absent.
void refuse_dense_attributes(const Body& body) {
  const Message* m = body.find(MessageType::attribute_info);
  if (!m) return;
  hdf5::Cursor c = body.open(*m);
  const int version = c.u8(), flags = c.u8();
  c.expect(version == 0, Code::Unsupported, "attribute info version {}", version);
  if (flags & 1) c.skip(2);
  c.expect(body.image->undefined(c.offset()), Code::Unsupported, "attributes in dense storage; save the file with h5py's default libver");
}

std::optional<Attribute> read_attribute(const Body& body, std::string_view name) {
  refuse_dense_attributes(body);
  for (const Message& m : body.messages) {
    if (m.type != MessageType::attribute) continue;
    hdf5::Cursor c = body.open(m);
    c.expect(!(m.flags & 2), Code::Unsupported, "an attribute shared with other objects");
    if (hdf5::attribute_name(c) == name) return hdf5::parse_attribute(body.open(m));
  }
  return {};
}

Attribute need_attribute(const Body& body, std::string_view name) {
  auto a = read_attribute(body, name);
  check(a.has_value(), Code::NotFound, "{}: {}: no attribute '{}'", body.image->bytes.name(), body.path, name);
  return *std::move(a);
}

struct Values {
  Datatype type;
  Shape shape;
  bool null = false;
};

/// Type and shape of a dataset, bfloat16 recognised.
Values describe(const Hdf5Node& node, const Body& body) {
  check(node.is_dataset(), Code::InvalidArgument, "{}: {} is not a dataset", body.image->bytes.name(), body.path);
  Values v;
  hdf5::Cursor type = body.need(MessageType::datatype, "datatype"), space = body.need(MessageType::dataspace, "dataspace");
  v.type = hdf5::parse_datatype(type);
  v.shape = hdf5::parse_dataspace(space, v.null);
  if (v.null) v.shape = Shape{0};
  const bool two =
      (v.type.kind == Datatype::Kind::opaque || (v.type.kind == Datatype::Kind::number && v.type.dtype == DType::uint32)) && v.type.size == 2;
  if (two && node.has_attribute("dtype") && node.text("dtype") == "bfloat16") {
    v.type.kind = Datatype::Kind::number;
    v.type.dtype = DType::bfloat16;
  }
  return v;
}

Values describe_numbers(const Hdf5Node& node, const Body& body) {
  Values v = describe(node, body);
  check(v.type.kind == Datatype::Kind::number, Code::Unsupported, "{}: {}: expected numbers, got {} (byte {})", body.image->bytes.name(), body.path,
        v.type.what, body.address);
  return v;
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) noexcept {
  size_t i = static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  while (i > 0 && digit(a[i - 1])) --i;  // numbers are compared from their first digit
  size_t j = i;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const std::string_view x = digits(a, i), y = digits(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (const int order = x.compare(y)) return order < 0;
    } else {
      if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
      ++i, ++j;
    }
  }
  if (i < a.size() || j < b.size()) return i == a.size();
  return a < b;  // equal but for leading zeros
}

const std::string& Hdf5Node::path() const noexcept { return body_->path; }
bool Hdf5Node::is_group() const noexcept { return body_->group; }
bool Hdf5Node::is_dataset() const noexcept { return body_->find(MessageType::layout) != nullptr; }

std::vector<std::string> Hdf5Node::children() const {
  std::vector<std::string> names;
  for (const auto& entry : body_->links) names.push_back(entry.first);
  return names;
}

std::optional<Hdf5Node> Hdf5Node::find(std::string_view path) const {
  Hdf5Node node = *this;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty()) continue;
    const auto it = node.body_->links.find(part);
    if (it == node.body_->links.end()) return {};
    const Link& link = it->second;
    const Body& body = *node.body_;
    check(link.kind == Link::Kind::hard, Code::Unsupported, "{}: {}: '{}' is {} link to '{}', which is not followed (byte {})",
          body.image->bytes.name(), body.path, it->first, link.kind == Link::Kind::soft ? "a soft" : "an external", link.target.substr(0, 200),
          body.address);
    const std::string below = body.path == "/" ? "/" + it->first : body.path + "/" + it->first;
    node = Hdf5Node(open_object(body.image, below, body.depth + 1, link.address));
  }
  return node;
}

Hdf5Node Hdf5Node::at(std::string_view path) const {
  auto node = find(path);
  check(node.has_value(), Code::NotFound, "{}: nothing at '{}' in {}", body_->image->bytes.name(), path, body_->path);
  return *std::move(node);
}

std::vector<std::string> Hdf5Node::attributes() const {
  refuse_dense_attributes(*body_);
  std::vector<std::string> names;
  for (const Message& m : body_->messages)
    if (m.type == MessageType::attribute) {
      hdf5::Cursor c = body_->open(m);
      names.push_back(hdf5::attribute_name(c));
    }
  return names;
}

bool Hdf5Node::has_attribute(std::string_view name) const {
  const auto names = attributes();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string Hdf5Node::text(std::string_view name) const {
  const Attribute a = need_attribute(*body_, name);
  const bool text = a.type.kind == Datatype::Kind::fixed_text || a.type.kind == Datatype::Kind::vlen_text;
  const std::string& file = body_->image->bytes.name();
  check(text && !a.null && a.shape.elements() == 1, Code::DType, "{}: {}: attribute '{}': expected a text, got {} of shape {}", file, body_->path,
        name, a.type.what, a.shape);
  return hdf5::decode_texts(*body_->image, body_->path, a.type, a.data).at(0);
}

std::vector<std::string> Hdf5Node::texts(std::string_view name) const {
  const Attribute a = need_attribute(*body_, name);
  if (a.data.empty()) return {};
  const bool text = a.type.kind == Datatype::Kind::fixed_text || a.type.kind == Datatype::Kind::vlen_text;
  check(text, Code::DType, "{}: {}: attribute '{}': expected texts, got {}", body_->image->bytes.name(), body_->path, name, a.type.what);
  return hdf5::decode_texts(*body_->image, body_->path, a.type, a.data);
}

Array Hdf5Node::attribute(std::string_view name) const {
  const Attribute a = need_attribute(*body_, name);
  check(a.type.kind == Datatype::Kind::number, Code::DType, "{}: {}: attribute '{}': expected numbers, got {}", body_->image->bytes.name(),
        body_->path, name, a.type.what);
  return hdf5::decode_numbers(a.type, a.null ? Shape{0} : a.shape, a.data);
}

Spec Hdf5Node::spec() const {
  const Values v = describe_numbers(*this, *body_);
  return {v.shape, v.type.dtype};
}

Array Hdf5Node::read() const {
  const Values v = describe_numbers(*this, *body_);
  return hdf5::decode_numbers(v.type, v.shape, v.null ? Bytes() : hdf5::read_values(*body_, v.type, v.shape));
}

std::vector<std::string> Hdf5Node::read_texts() const {
  const Values v = describe(*this, *body_);
  const bool text = v.type.kind == Datatype::Kind::fixed_text || v.type.kind == Datatype::Kind::vlen_text;
  check(text, Code::DType, "{}: {}: expected texts, got {}", body_->image->bytes.name(), body_->path, v.type.what);
  if (v.null) return {};
  return hdf5::decode_texts(*body_->image, body_->path, v.type, hdf5::read_values(*body_, v.type, v.shape));
}

namespace {
std::shared_ptr<const Body> open_root(Bytes bytes, const Hdf5Limits& limits) {
  const auto image = hdf5::parse_superblock(std::move(bytes), limits);
  auto root = open_object(image, "/", 0, image->root);
  check(root->group, Code::Io, "{}: /: expected a group (byte {})", image->bytes.name(), image->root);
  return root;
}
}  // namespace

Hdf5File::Hdf5File(Bytes bytes, Hdf5Limits limits) : root_(open_root(std::move(bytes), limits)) {}

bool Hdf5File::looks_like(const Bytes& bytes) noexcept { return bytes.text().substr(0, 8) == "\x89HDF\r\n\x1a\n"; }

}  // namespace tenure::files
