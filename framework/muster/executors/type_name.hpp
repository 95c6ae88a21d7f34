#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include <cxxabi.h>

namespace muster::detail {

/// A mangled name of a type or a symbol as people write it; itself if it is none. Thread-safe.
/// Throws std::bad_alloc only.
inline std::string type_name(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : mangled;
}

}  // namespace muster::detail
