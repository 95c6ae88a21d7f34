#pragma once

#include <map>
#include <string>
#include <string_view>

#include <muster/base/error.hpp>

namespace muster {

/// The settings of one run, as a task's constructor receives them: every parameter the task
/// declared has a value, the user's or the default. Immutable.
class Parameters {
 public:
  Parameters() = default;
  /// Every declared parameter with its value.
  explicit Parameters(std::map<std::string, std::string, std::less<>> values)
      : values_(std::move(values)) {}

  /// Throws Error(usage) for a name that the task did not declare.
  const std::string& get(std::string_view name) const {
    const auto at = values_.find(name);
    if (at == values_.end()) {
      throw Error(ErrorCode::usage, "parameter '" + std::string(name) + "' was not declared",
                  "declare it with .parameter() where the task is registered");
    }
    return at->second;
  }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

/// What a task's constructor throws for a setting it cannot work with: the run ends with a usage
/// error before any work starts.
inline Error bad_setting(std::string_view name, std::string_view value, std::string_view why) {
  return Error(ErrorCode::usage, "parameter '" + std::string(name) + "' cannot be '" +
                                     std::string(value) + "': " + std::string(why));
}

}  // namespace muster
