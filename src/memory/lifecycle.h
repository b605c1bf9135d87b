// What an owner can say of its own life when somebody asks why it keeps something. Found by dynamic_cast, in reports only.
#pragma once

#include <optional>
#include <string>

#include <tenure/moment.h>

namespace tenure::memory {

class Lifecycle {
 public:
  struct Says {
    Standing standing = Standing::unknown;
    std::string reason = {};  ///< no numbers that change from call to call
    std::string fix = {};     ///< what its user can do about it, one sentence; empty where nothing is wrong
  };
  virtual Says says() const = 0;
  /// Of a bounded container: how much it has and may have (elements or bytes).
  struct Filling {
    size_t now, most;
  };
  virtual std::optional<Filling> filling() const { return {}; }

 protected:
  ~Lifecycle() = default;
};

}  // namespace tenure::memory
