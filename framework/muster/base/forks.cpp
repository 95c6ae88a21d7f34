#include <utility>

#include <pthread.h>

#include <muster/base/error.hpp>
#include <muster/base/forks.hpp>

namespace muster {

void keep_for_ever(std::shared_ptr<void> object) {
  struct Kept {
    std::shared_ptr<void> object;
    Kept* next;
  };
  static constinit std::atomic<Kept*> newest{nullptr};
  auto* const kept = new Kept{std::move(object), nullptr};
  kept->next = newest.exchange(kept);
}

namespace detail {
namespace {

void count_one() noexcept { forks_so_far.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

void count_forks() {
  static const int registered = ::pthread_atfork(nullptr, nullptr, &count_one);
  if (registered != 0) throw system_error(registered, "cannot prepare for forks");
}

}  // namespace detail
}  // namespace muster
