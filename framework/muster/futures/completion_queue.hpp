#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

#include <muster/futures/future_state.hpp>

namespace muster::detail {

/// Tells which of many futures is done, one after the other, in O(1) each. Used by one thread;
/// futures complete in any. Every state added must outlive the queue or its own completion.
class CompletionQueue {
 public:
  CompletionQueue() = default;
  ~CompletionQueue();
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;

  /// Numbers are given from 0 on, in the order added.
  void add(SharedStateBase& state);

  /// The number of the next one that is done: first those that were when added, then in the order
  /// of completion. Nothing at the deadline; without one it waits for ever. Must not be called when
  /// all have been given.
  std::optional<std::size_t> next(std::optional<TimePoint> deadline);

  std::size_t added() const noexcept { return watches_.size(); }
  std::size_t given() const noexcept { return given_; }

 private:
  struct Watch final : CompletionListener {
    Watch(CompletionQueue& owner, SharedStateBase& watched, std::size_t place)
        : queue(&owner), state(&watched), number(place) {}
    void on_done(bool failed) noexcept override;

    CompletionQueue* queue;
    SharedStateBase* state;
    std::size_t number;
    Watch* next_done = nullptr;
    bool given = false;  // by next(), or never registered
  };

  Watch* take_done();
  bool sleep(std::optional<TimePoint> deadline);
  void run_one_here();

  std::deque<Watch> watches_;
  std::size_t given_ = 0;
  std::size_t run_here_from_ = 0;  // before it, none can be run here

  std::mutex mutex_;
  std::condition_variable changed_;
  Watch* first_done_ = nullptr;
  Watch* last_done_ = nullptr;
};

}  // namespace muster::detail
