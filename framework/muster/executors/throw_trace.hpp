#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace muster::detail {

/// Never thrown. `catch (const ThrowProbe&)` in front of the real handlers lets the innermost
/// ThrowTrace of the thread see every exception that is about to be caught there, while the stack
/// of its throw is still whole.
///
/// How: exceptions are handled in two phases. The first one looks for a handler and destroys
/// nothing; it asks the std::type_info of each catch clause whether it takes what was thrown. The
/// destructor is defined nowhere, so the compiler leaves this class's type_info to others to
/// define, and throw_probe.cpp defines one that takes a look at the stack and says no.
class ThrowProbe {
 public:
  virtual ~ThrowProbe();
};

/// Where the exception was thrown that the enclosing function's handler is about to get. Belongs
/// to one function call and its thread: construct it before the try block, which must have a
/// ThrowProbe clause. Costs a pointer until something is thrown. A `throw;` and a
/// std::rethrow_exception count as throws: what they pass on was thrown elsewhere, unseen.
class ThrowTrace {
 public:
  static constexpr std::size_t frames_max = 32;
  static constexpr std::size_t frame_bytes_max = 1024;  ///< of the text of one

  /// `frame` is the constructing function's __builtin_frame_address(0): it and its callers are not
  /// part of the trace, nor is `thunk`, if that is what it calls.
  ThrowTrace(const void* frame, const void* thunk) noexcept;
  ~ThrowTrace();
  ThrowTrace(const ThrowTrace&) = delete;
  ThrowTrace& operator=(const ThrowTrace&) = delete;

  /// Of the last throw that was about to be caught, innermost first, at most frames_max:
  /// "<file>+0x<offset>", as addr2line takes it, with " in <function>" if the file's dynamic symbol
  /// table names it. Executables list their functions there if they are linked with -rdynamic, and
  /// static ones never. Empty if the stack could not be read.
  std::vector<std::string> frames() const;

  /// Of the innermost ThrowTrace of this thread, if there is one. Allocates nothing.
  static void record_innermost() noexcept;

 private:
  friend struct ThrowTraceRecorder;
  // The unwinder's own frames come first.
  static constexpr std::size_t addresses_max = frames_max + 16;

  void record() noexcept;

  std::uintptr_t frame_;
  const void* thunk_;
  ThrowTrace* outer_;
  std::size_t count_ = 0;
  std::array<std::uintptr_t, addresses_max> addresses_;  // within the instructions of the calls
};

}  // namespace muster::detail
