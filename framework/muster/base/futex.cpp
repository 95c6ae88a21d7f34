#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <muster/base/futex.hpp>

namespace muster::detail {
namespace {

void wake(std::atomic<std::uint32_t>& word, int operation, int count) noexcept {
  ::syscall(SYS_futex, &word, operation, count, nullptr, nullptr, 0);
}

}  // namespace

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::optional<TimePoint> deadline) noexcept {
  timespec until{};
  if (deadline) {
    // steady_clock is CLOCK_MONOTONIC, which FUTEX_WAIT_BITSET's absolute timeout counts in.
    const auto since_boot = deadline->time_since_epoch().count();
    if (since_boot <= 0) return;
    until.tv_sec = since_boot / 1'000'000'000;
    until.tv_nsec = since_boot % 1'000'000'000;
  }
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline ? &until : nullptr,
            nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wake_one(std::atomic<std::uint32_t>& word) noexcept {
  wake(word, FUTEX_WAKE_PRIVATE, 1);
}

void futex_wake_all(std::atomic<std::uint32_t>& word) noexcept {
  wake(word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

void futex_wait_shared(std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
  // No timeout: only task processes sleep here, and the kernel kills them when the zygote ends.
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, nullptr, nullptr, 0);
}

void futex_wake_one_shared(std::atomic<std::uint32_t>& word) noexcept { wake(word, FUTEX_WAKE, 1); }

}  // namespace muster::detail
