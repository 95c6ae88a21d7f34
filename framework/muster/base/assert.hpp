#pragma once

/// MUSTER_ASSERT(condition) checks an invariant, in every build. It is never used for input: what
/// comes from outside is answered with an Error. A failed invariant prints its place and aborts.
#define MUSTER_ASSERT(condition)                                               \
  do {                                                                         \
    if (!(condition)) ::muster::assert_failed(#condition, __FILE__, __LINE__); \
  } while (false)

namespace muster {

[[noreturn]] void assert_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace muster
