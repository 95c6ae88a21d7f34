#pragma once

#include <atomic>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include <muster/muster.hpp>

#include "support/gate.hpp"

namespace muster::testing {

using test::Gate;

/// How many are inside, and how many there were at the worst moment.
class Inside {
 public:
  void enter() {
    const int now = ++now_;
    int seen = most_.load();
    while (now > seen && !most_.compare_exchange_weak(seen, now)) {
    }
  }
  void leave() { --now_; }
  int most() const { return most_; }

 private:
  std::atomic<int> now_ = 0;
  std::atomic<int> most_ = 0;
};

/// 0, 1, 2, ... without an end; counts how many were taken. `step` is called before each.
template <class Step>
class Endless {
 public:
  Endless(std::atomic<int>& taken, Step step) : taken_(&taken), step_(std::move(step)) {}

  class iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    iterator() = default;
    explicit iterator(Endless* of) : of_(of) {}
    int operator*() const {
      of_->step_(at_);
      ++*of_->taken_;
      return at_;
    }
    iterator& operator++() {
      ++at_;
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++at_;
      return before;
    }
    friend bool operator==(const iterator& /*at*/, std::default_sentinel_t) { return false; }

   private:
    Endless* of_ = nullptr;
    int at_ = 0;
  };

  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  std::atomic<int>* taken_;
  Step step_;
};

inline auto endless(std::atomic<int>& taken) {
  return Endless(taken, [](int /*at*/) {});
}

/// Runs each task inside submit(), as an executor does whose full queue has the caller run tasks.
class InlineExecutor final : public Executor {
 public:
  void execute(detail::TaskPtr task) override {
    if (!task->start()) return;
    task->invoke();
    detail::finish(std::move(task)).run();
  }
  void shutdown(bool /*wait*/, bool /*cancel_pending*/) override {}
  unsigned max_workers() const noexcept override { return 1; }
};

/// Passes tasks on to another executor, as decorators do, and counts them.
class PassingExecutor final : public Executor {
 public:
  explicit PassingExecutor(Executor& to) : to_(&to) {}
  void execute(detail::TaskPtr task) override {
    ++passed_;
    to_->execute(std::move(task));
  }
  void shutdown(bool wait, bool cancel_pending) override { to_->shutdown(wait, cancel_pending); }
  unsigned max_workers() const noexcept override { return to_->max_workers(); }
  int passed() const { return passed_; }

 private:
  Executor* to_;
  std::atomic<int> passed_ = 0;
};

template <class Results>
auto collected(Results&& results) {
  std::vector<typename std::decay_t<Results>::Value> out;
  for (auto& each : results) out.push_back(std::move(each));
  return out;
}

inline std::vector<int> numbers(int count) {
  std::vector<int> out;
  for (int i = 0; i < count; ++i) out.push_back(i);
  return out;
}

}  // namespace muster::testing
