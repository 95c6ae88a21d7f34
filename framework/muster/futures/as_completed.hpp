#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <muster/futures/completion_queue.hpp>
#include <muster/futures/future.hpp>

namespace muster {

/// The futures given to as_completed(), as they complete. An input range: it can be gone through
/// once. Used by one thread. It holds each future until it has moved on behind it.
template <class T>
class [[nodiscard]] AsCompleted {
  struct Impl;

 public:
  /// Of no futures yet; see as_completed(). The time runs from here.
  explicit AsCompleted(std::optional<Duration> timeout) : impl_(std::make_unique<Impl>()) {
    if (!timeout) return;
    const TimePoint now = Clock::now();
    if (*timeout < TimePoint::max() - now) impl_->deadline = now + *timeout;
  }

  /// Also waits for this one, unless it is among them already: then it returns false. One that
  /// iteration has left behind is forgotten, and would be given again. May be called while
  /// iterating, for work that leads to more work: then iteration goes on at an end that it had not
  /// reached yet.
  bool add(Future<T> future) {
    if (!impl_->seen.insert(&detail::FutureAccess::state(future)).second) return false;
    impl_->futures.push_back(std::move(future));
    impl_->queue.add(detail::FutureAccess::state(impl_->futures.back()));
    return true;
  }

  /// How many have been added, duplicates once.
  std::size_t added() const noexcept { return impl_->queue.added(); }
  /// How many of those added iteration has still to give.
  std::size_t left() const noexcept { return impl_->queue.added() - impl_->queue.given(); }

  /// What the iterator does, for callers who have something else to do while they wait: moves on to
  /// the next one that is done by `until` (none: whenever that is). False: there is none, since
  /// that time has come or none is left. Throws TimeoutError when the time given to as_completed()
  /// is over.
  bool next(std::optional<TimePoint> until = std::nullopt) { return impl_->advance(until); }

  /// The one that next() moved on to.
  Future<T>& current() noexcept { return impl_->current; }
  /// Its place in the order in which they were added, from 0.
  std::size_t number() const noexcept { return impl_->number; }

  class iterator {
   public:
    using value_type = Future<T>;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using reference = Future<T>&;
    using pointer = Future<T>*;

    iterator() = default;
    Future<T>& operator*() const { return impl_->current; }
    Future<T>* operator->() const { return &impl_->current; }
    /// Waits for the next one. Throws TimeoutError, such as "2 (of 4) futures unfinished".
    iterator& operator++() {
      impl_->advance(std::nullopt);
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) { return at.at_end(); }

   private:
    friend class AsCompleted;
    explicit iterator(Impl* impl) : impl_(impl) {}
    bool at_end() const { return impl_ == nullptr || !impl_->current.valid(); }

    Impl* impl_ = nullptr;
  };

  /// Waits for the first one; to be called once. Throws TimeoutError.
  iterator begin() {
    impl_->advance(std::nullopt);
    return iterator(impl_.get());
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  struct Impl {
    std::vector<Future<T>> futures;
    std::unordered_set<const void*> seen;  // those waited for and the current one
    Future<T> current;
    const void* current_state = nullptr;
    std::size_t number = 0;
    std::optional<TimePoint> deadline;
    detail::CompletionQueue queue;  // last: it lets go of the states before they go

    bool advance(std::optional<TimePoint> until) {
      // The address is forgotten before it can become that of another future.
      seen.erase(std::exchange(current_state, nullptr));
      current = Future<T>();
      if (queue.given() == queue.added()) return false;
      const bool sliced = until && (!deadline || *until < *deadline);
      const auto next = queue.next(sliced ? until : deadline);
      if (!next) {
        if (sliced) return false;
        throw TimeoutError(std::to_string(queue.added() - queue.given()) + " (of " +
                           std::to_string(queue.added()) + ") futures unfinished");
      }
      number = *next;
      current = std::move(futures[number]);
      current_state = &detail::FutureAccess::state(current);
      return true;
    }
  };

  std::unique_ptr<Impl> impl_;
};

/// Gives futures as they complete: first those that are done already, in the order given, then the
/// others in the order of completion; a future given twice once. The time runs from this call.
/// The futures may be of different executors.
template <std::ranges::input_range Futures>
auto as_completed(Futures&& futures, std::optional<Duration> timeout = std::nullopt) {
  AsCompleted<typename std::ranges::range_value_t<Futures>::value_type> out(timeout);
  for (const auto& each : futures) out.add(each);
  return out;
}

}  // namespace muster
