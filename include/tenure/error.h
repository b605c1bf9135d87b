// Errors. Part of Tenure: Keras for C++, with every tensor's lifetime accounted for.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <tenure/export.h>

namespace tenure {

/// What kind of mistake an Error reports.
enum class Code : uint8_t {
  InvalidArgument,  ///< a value that can never be right
  Shape,            ///< sizes or ranks that do not fit together
  DType,            ///< an element type that is not accepted here
  NotFound,         ///< a name, file, key or index that does not exist
  Unsupported,      ///< understood, but not something Tenure can do
  Io,               ///< the operating system or a damaged file
  OutOfMemory,      ///< a memory budget or the machine's memory is exhausted
  Internal,         ///< a mistake of Tenure itself: please report
};

/// The name of a code, e.g. "Shape".
TENURE_API const char* to_string(Code code) noexcept;

/// The one exception type of Tenure.
/// what() is "<Code>: <message>" followed by one line "  in <frame>" for each caller that added itself on the way up.
class TENURE_API Error : public std::runtime_error {
 public:
  Error(Code code, std::string message);

  Code code() const noexcept { return code_; }
  /// The first line, without the code.
  const std::string& message() const noexcept { return message_; }
  /// Who was calling, innermost first, e.g. "dense_1 (Dense), called with f32[32,784]".
  const std::vector<std::string>& frames() const noexcept { return frames_; }
  /// Adds the next caller outwards.
  void add_frame(std::string frame);
  const char* what() const noexcept override;

 private:
  Code code_;
  std::string message_;
  std::vector<std::string> frames_;
  std::string text_;
};

}  // namespace tenure
