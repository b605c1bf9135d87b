#include "files/hdf5_write.h"

#include <hdf5.h>

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"

namespace tenure::files {
namespace {

std::mutex library;  // libhdf5 is not built for threads everywhere

/// Owns one of libhdf5's handles.
class Id {
 public:
  using Close = herr_t (*)(hid_t);
  Id() = default;
  Id(hid_t id, Close close) noexcept : id_(id), close_(close) {}
  ~Id() {
    if (id_ >= 0) close_(id_);
  }
  Id(Id&& o) noexcept : id_(std::exchange(o.id_, -1)), close_(o.close_) {}
  Id& operator=(Id&& o) noexcept {
    std::swap(id_, o.id_);
    std::swap(close_, o.close_);
    return *this;
  }
  hid_t get() const noexcept { return id_; }
  /// Whether libhdf5 could finish.
  bool close() noexcept { return close_(std::exchange(id_, -1)) >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// Holds the library for one call and keeps it from printing.
class Use {
 public:
  Use() : lock_(library) {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Use() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

herr_t keep_innermost(unsigned, const H5E_error2_t* error, void* text) {
  if (error->desc) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

/// Throws Io with libhdf5's innermost reason.
[[noreturn]] void fail_hdf5(const std::string& file, std::string_view what) {
  std::string why = "unknown reason";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_innermost, &why);
  fail(Code::Io, "{}: cannot write {}: {}", file, what, why);
}

hid_t good(hid_t id, const std::string& file, std::string_view what) {
  if (id < 0) fail_hdf5(file, what);
  return id;
}

Id text_type() {
  Id type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  return type;
}

Id bool_type() {
  Id type(H5Tenum_create(H5T_STD_I8LE), H5Tclose);
  const int8_t no = 0, yes = 1;
  H5Tenum_insert(type.get(), "FALSE", &no);
  H5Tenum_insert(type.get(), "TRUE", &yes);
  return type;
}

Id bfloat16_type() {
  Id type(H5Tcreate(H5T_OPAQUE, 2), H5Tclose);
  H5Tset_tag(type.get(), "");
  return type;
}

Id float16_type() {
  Id type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
  H5Tset_size(type.get(), 2);
  H5Tset_ebias(type.get(), 15);
  return type;
}

Id type_of(DType dtype) {
  const auto copy = [](hid_t id) { return Id(H5Tcopy(id), H5Tclose); };
  switch (dtype) {
    case DType::float32: return copy(H5T_IEEE_F32LE);
    case DType::float64: return copy(H5T_IEEE_F64LE);
    case DType::bfloat16: return bfloat16_type();
    case DType::float16: return float16_type();
    case DType::int8: return copy(H5T_STD_I8LE);
    case DType::uint8: return copy(H5T_STD_U8LE);
    case DType::int16: return copy(H5T_STD_I16LE);
    case DType::int32: return copy(H5T_STD_I32LE);
    case DType::int64: return copy(H5T_STD_I64LE);
    case DType::uint32: return copy(H5T_STD_U32LE);
    case DType::uint64: return copy(H5T_STD_U64LE);
    case DType::bool_: return bool_type();
    case DType::string: break;
  }
  fail(Code::Unsupported, "HDF5: arrays of {} are not supported", dtype);
}

Id space_of(const Shape& shape) {
  if (shape.rank() == 0) return {H5Screate(H5S_SCALAR), H5Sclose};
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  return {H5Screate_simple(shape.rank(), dims.data(), nullptr), H5Sclose};
}

/// "/a/b/c" without empty parts; "/" for the root.
std::string normal(std::string_view path) {
  check(path.find('\0') == std::string_view::npos, Code::InvalidArgument, "HDF5: a path may not hold a NUL");
  std::string out;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    check(part != "." && part != "..", Code::InvalidArgument, "HDF5: a path may not hold '{}': {}", part, path);
    if (!part.empty()) out.append("/").append(part);
    at = end + 1;
  }
  return out.empty() ? "/" : out;
}

}  // namespace

struct Hdf5Writer::State {
  std::string name = "<memory>";
  std::optional<PendingFile> pending;
  Id file;
  std::map<std::string, bool, std::less<>> objects{{"/", true}};  // path -> is it a group

  ~State() {
    const Use use;
    file = Id();
  }
  void create();
  void make_group(const std::string& path);
  void parents(const std::string& path) {
    const size_t slash = path.rfind('/');
    if (slash > 0) make_group(path.substr(0, slash));
  }
  void write_attribute(const std::string& path, const std::string& attribute, const Id& type, const Shape& shape, const void* values) const;
  void check_open() const { check(file.get() >= 0, Code::InvalidArgument, "{}: the HDF5 file is already finished", name); }
  void finish();
};

void Hdf5Writer::State::create() {
  const Use use;
  Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  if (!pending) H5Pset_fapl_core(access.get(), size_t{1} << 20, false);
  static std::atomic<uint64_t> counter{0};  // libhdf5 takes two files of one name in memory for the same
  const std::string target = pending ? pending->temporary() : fmt::format("memory-{}", counter++);
  file = Id(good(H5Fcreate(target.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), name, "the file"), H5Fclose);
}

void Hdf5Writer::State::make_group(const std::string& path) {
  const auto it = objects.find(path);
  if (it != objects.end()) {
    check(it->second, Code::InvalidArgument, "{}: {} is a dataset, expected a group", name, path);
    return;
  }
  parents(path);
  Id properties(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties.get(), false);
  const Id group(good(H5Gcreate2(file.get(), path.c_str(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), name, path), H5Gclose);
  objects.emplace(path, true);
}

void Hdf5Writer::State::write_attribute(const std::string& path, const std::string& attribute, const Id& type, const Shape& shape,
                                        const void* values) const {
  const bool known = objects.find(path) != objects.end();
  check(known, Code::NotFound, "{}: nothing at {}, so it cannot have the attribute '{}'", name, path, attribute);
  const std::string what = fmt::format("attribute '{}' of {}", attribute, path);
  // In the file a text of varying length is a reference of 16 bytes.
  const size_t element = H5Tis_variable_str(type.get()) > 0 ? 16 : H5Tget_size(type.get());
  const size_t bytes = element * static_cast<size_t>(shape.elements());
  check(bytes <= 64000, Code::Unsupported, "{}: {} takes {} bytes, expected at most 64000", name, what, bytes);
  Id properties(H5Pcreate(H5P_ATTRIBUTE_CREATE), H5Pclose);
  H5Pset_char_encoding(properties.get(), H5T_CSET_UTF8);
  const Id object(good(H5Oopen(file.get(), path.c_str(), H5P_DEFAULT), name, what), H5Oclose);
  const Id space = space_of(shape);
  const Id id(good(H5Acreate2(object.get(), attribute.c_str(), type.get(), space.get(), properties.get(), H5P_DEFAULT), name, what), H5Aclose);
  if (bytes > 0) good(H5Awrite(id.get(), type.get(), values), name, what);
}

void Hdf5Writer::State::finish() {
  check_open();
  good(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), name, "the file");
}

Hdf5Writer::Hdf5Writer() : state_(std::make_unique<State>()) { state_->create(); }

Hdf5Writer::Hdf5Writer(const std::string& path) : state_(std::make_unique<State>()) {
  state_->name = path;
  state_->pending.emplace(path);
  state_->create();
}

Hdf5Writer::~Hdf5Writer() = default;
Hdf5Writer::Hdf5Writer(Hdf5Writer&&) noexcept = default;
Hdf5Writer& Hdf5Writer::operator=(Hdf5Writer&&) noexcept = default;

void Hdf5Writer::add_group(std::string_view path) {
  state_->check_open();
  const std::string full = normal(path);
  const Use use;
  state_->make_group(full);
}

void Hdf5Writer::add_dataset(std::string_view path, const Array& array) {
  State& s = *state_;
  s.check_open();
  const std::string full = normal(path);
  ensure(array.bytes.size() == checked_bytes(array.shape, size_of(array.dtype), s.name), "an array whose bytes do not fit its shape");
  const Use use;
  check(s.objects.find(full) == s.objects.end(), Code::InvalidArgument, "{}: {} is already there", s.name, full);
  s.parents(full);
  const Id type = type_of(array.dtype), space = space_of(array.shape);
  Id properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties.get(), false);
  H5Pset_fill_time(properties.get(), H5D_FILL_TIME_IFSET);
  const Id set(good(H5Dcreate2(s.file.get(), full.c_str(), type.get(), space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), s.name, full),
               H5Dclose);
  if (!array.bytes.empty()) good(H5Dwrite(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, array.bytes.data()), s.name, full);
  s.objects.emplace(full, false);
  const char* bfloat = "bfloat16";
  if (array.dtype == DType::bfloat16) s.write_attribute(full, "dtype", text_type(), Shape{}, &bfloat);
}

void Hdf5Writer::set_text(std::string_view path, const std::string& name, const std::string& text) {
  state_->check_open();
  const Use use;
  const char* value = text.c_str();
  state_->write_attribute(normal(path), name, text_type(), Shape{}, &value);
}

void Hdf5Writer::set_texts(std::string_view path, const std::string& name, std::span<const std::string> texts) {
  state_->check_open();
  const Use use;
  std::vector<const char*> values;
  for (const std::string& t : texts) values.push_back(t.c_str());
  state_->write_attribute(normal(path), name, text_type(), Shape{static_cast<int64_t>(values.size())}, values.data());
}

void Hdf5Writer::set_numbers(std::string_view path, const std::string& name, const Array& numbers) {
  state_->check_open();
  const Use use;
  state_->write_attribute(normal(path), name, type_of(numbers.dtype), numbers.shape, numbers.bytes.data());
}

Bytes Hdf5Writer::to_bytes(std::string name) {
  State& s = *state_;
  const Use use;
  s.finish();
  const ssize_t size = H5Fget_file_image(s.file.get(), nullptr, 0);
  if (size < 0) fail_hdf5(s.name, "the file");
  Bytes out = Bytes::make(static_cast<size_t>(size), std::move(name), [&](std::span<std::byte> to) {
    if (H5Fget_file_image(s.file.get(), to.data(), to.size()) != size) fail_hdf5(s.name, "the file");
  });
  s.file = Id();
  return out;
}

void Hdf5Writer::commit() {
  State& s = *state_;
  check(s.pending.has_value(), Code::InvalidArgument, "this HDF5 file is in memory: take it with to_bytes()");
  const Use use;
  s.finish();
  if (!s.file.close()) fail_hdf5(s.name, "the file");
  s.pending->commit();
}

}  // namespace tenure::files
