#include <bit>
#include <climits>
#include <cstddef>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <muster/base/futex.hpp>

namespace muster::detail {
namespace {

void wake(void* word, int operation, int count) noexcept {
  ::syscall(SYS_futex, word, operation, count, nullptr, nullptr, 0);
}

void wait(void* word, std::uint32_t expected, std::optional<TimePoint> deadline) noexcept {
  timespec until{};
  if (deadline) {
    // steady_clock is CLOCK_MONOTONIC, which FUTEX_WAIT_BITSET's absolute timeout counts in.
    const auto since_boot = deadline->time_since_epoch().count();
    if (since_boot <= 0) return;
    until.tv_sec = since_boot / 1'000'000'000;
    until.tv_nsec = since_boot % 1'000'000'000;
  }
  ::syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline ? &until : nullptr,
            nullptr, FUTEX_BITSET_MATCH_ANY);
}

// Where the kernel finds it.
void* lower_half(std::atomic<std::uint64_t>& word) noexcept {
  constexpr std::size_t offset = std::endian::native == std::endian::little ? 0 : 4;
  return reinterpret_cast<char*>(&word) + offset;
}

}  // namespace

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::optional<TimePoint> deadline) noexcept {
  wait(&word, expected, deadline);
}

void futex_wake_one(std::atomic<std::uint32_t>& word) noexcept {
  wake(&word, FUTEX_WAKE_PRIVATE, 1);
}

void futex_wake_all(std::atomic<std::uint32_t>& word) noexcept {
  wake(&word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

void futex_wait_low(std::atomic<std::uint64_t>& word, std::uint64_t expected,
                    std::optional<TimePoint> deadline) noexcept {
  wait(lower_half(word), static_cast<std::uint32_t>(expected), deadline);
}

void futex_wake_all_low(std::atomic<std::uint64_t>& word) noexcept {
  wake(lower_half(word), FUTEX_WAKE_PRIVATE, INT_MAX);
}

void futex_wait_shared(std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
  // No timeout: only task processes sleep here, and the kernel kills them when the zygote ends.
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, nullptr, nullptr, 0);
}

void futex_wake_one_shared(std::atomic<std::uint32_t>& word) noexcept {
  wake(&word, FUTEX_WAKE, 1);
}

}  // namespace muster::detail
