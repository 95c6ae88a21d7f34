#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace muster {
namespace detail {

inline constinit std::atomic<std::uint32_t> forks_so_far{0};

/// From now on forks are counted. Throws Error(system) if the kernel's memory does not suffice.
void count_forks();

}  // namespace detail

/// How often a fork(2) lies between the first call of count_forks() and the calling process: what
/// was made at another count belongs to an ancestor, and none of the threads that served it are
/// here. Costs one load, which getpid(2) does not. Forks that run no handlers (vfork, _Fork) do not
/// count.
inline std::uint32_t fork_count() noexcept {
  return detail::forks_so_far.load(std::memory_order_relaxed);
}

/// Remembers in which process it was made. Thread-safe.
class HomeProcess {
 public:
  HomeProcess() : count_((detail::count_forks(), fork_count())) {}
  /// False in a forked child, where neither its threads are nor are its mutexes sure to be free.
  bool is_here() const noexcept { return count_.load(std::memory_order_relaxed) == fork_count(); }
  /// For what has no threads yet, and so is as good here: from now on it belongs to this process.
  void move_here() noexcept { count_.store(fork_count(), std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> count_;
};

/// For what a forked child has of its parent's and must not destroy: its threads are not there, and
/// its mutexes may be locked. Thread-safe. What is kept stays known to leak checkers.
void keep_for_ever(std::shared_ptr<void> object);

/// An object that a process has one of: made when it is first asked for, and never destroyed, so
/// that static objects can use it up to their own end. A forked child makes itself a new one: a
/// mutex in the old one may be locked by a thread that is not there. Thread-safe.
template <class T>
class PerProcess {
 public:
  T& get() {
    Made* made = made_.load(std::memory_order_acquire);
    while (made == nullptr || !made->home.is_here()) {
      auto* const fresh = new Made;
      if (made_.compare_exchange_strong(made, fresh, std::memory_order_acq_rel))
        return fresh->object;
      delete fresh;  // `made` is now what another thread was quicker with
    }
    return made->object;
  }

  /// Null if this process has not asked for it.
  T* find() noexcept {
    Made* const made = made_.load(std::memory_order_acquire);
    return made != nullptr && made->home.is_here() ? &made->object : nullptr;
  }

 private:
  struct Made {
    HomeProcess home;
    T object;
  };
  std::atomic<Made*> made_{nullptr};
};

}  // namespace muster
