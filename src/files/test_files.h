// For the tests of this folder: samples, scratch files, errors.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <tenure/error.h>

#include "files/bytes.h"
#include "paths.h"

namespace tenure::files {

inline std::string sample(const std::string& name) { return tests::source_dir() + "/../shared/samples/" + name; }
inline bool have(const std::string& path) { return std::filesystem::exists(path); }

/// A folder that is gone at the end of the test.
class Scratch {
 public:
  Scratch()
      : path_(std::filesystem::temp_directory_path() /
              ("tenure-files-" + std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}()))) {
    std::filesystem::create_directories(path_);
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  size_t files() const {
    size_t n = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++n;
    return n;
  }

 private:
  std::filesystem::path path_;
};

inline void put(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}
inline std::string get(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The error that f throws; empty code and text if it throws none.
struct Caught {
  std::optional<Code> code;
  std::string text;
};
inline Caught caught(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) { return {e.code(), e.what()}; }
  return {};
}

/// f throws an Error of this code whose text holds `part`.
inline void expect_error(Code code, const std::string& part, const std::function<void()>& f) {
  const Caught c = caught(f);
  ASSERT_TRUE(c.code.has_value()) << "no error, expected " << part;
  EXPECT_EQ(to_string(*c.code), std::string(to_string(code))) << c.text;
  EXPECT_NE(c.text.find(part), std::string::npos) << "expected '" << part << "' in: " << c.text;
}

/// Calls `load` with `rounds` random mutations of `good`: each must load or throw Error. Returns how many loaded.
inline int survive_mutations(const std::string& good, int rounds, uint32_t seed, const std::function<void(const Bytes&)>& load) {
  std::mt19937 random(seed);
  int loaded = 0;
  for (int i = 0; i < rounds; ++i) {
    std::string bad = good;
    for (int n = 1 + static_cast<int>(random() % 4); n-- > 0;) {
      const size_t at = random() % bad.size();
      switch (random() % 6) {
        case 0: bad[at] = static_cast<char>(random()); break;
        case 1: bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8)); break;
        case 2: bad[at] = static_cast<char>(0xff); break;
        case 3: bad[at] = static_cast<char>(bad[at] + 1); break;
        case 4: bad.replace(at, std::min<size_t>(8, bad.size() - at), std::min<size_t>(8, bad.size() - at), random() % 2 ? '\xff' : '\0'); break;
        case 5:
          if (random() % 8 == 0) bad.resize(at + 1);
          break;
      }
    }
    try {
      load(Bytes::copy(bad));
      ++loaded;
    } catch (const Error&) {}
  }
  return loaded;
}

}  // namespace tenure::files
