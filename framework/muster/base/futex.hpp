#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include <muster/base/clock.hpp>

namespace muster::detail {

/// futex(2): sleep until a 32-bit word changes. All of these may return early for no reason, so the
/// caller looks again. Thread-safe.
///
/// futex_wait returns at once if the word is not `expected`, and at the latest at `deadline`; none
/// waits for ever.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::optional<TimePoint> deadline = std::nullopt) noexcept;
void futex_wake_one(std::atomic<std::uint32_t>& word) noexcept;
void futex_wake_all(std::atomic<std::uint32_t>& word) noexcept;

/// The same for the lower half of a word: what the upper half is makes no difference.
void futex_wait_low(std::atomic<std::uint64_t>& word, std::uint64_t expected,
                    std::optional<TimePoint> deadline = std::nullopt) noexcept;
void futex_wake_all_low(std::atomic<std::uint64_t>& word) noexcept;

/// The same for a word in memory that several processes share.
void futex_wait_shared(std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;
void futex_wake_one_shared(std::atomic<std::uint32_t>& word) noexcept;

/// Tells the processor that this thread spins.
inline void cpu_relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace muster::detail
