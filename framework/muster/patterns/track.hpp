#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include <muster/futures/as_completed.hpp>
#include <muster/patterns/progress.hpp>

namespace muster {

/// When track() reports, and by what it measures.
struct TrackOptions {
  /// What each future weighs, such as its bytes, in the order of the futures; empty: all the same.
  std::vector<std::uint64_t> weights = {};
  /// The callback is called at most this often. 0: for every completion, and at no other time.
  Duration interval = std::chrono::milliseconds(100);
  /// How many futures are expected in all, when some are still to be added.
  std::size_t total = 0;
  /// As as_completed() takes it: none waits for ever.
  std::optional<Duration> timeout = std::nullopt;
};

namespace detail {

/// When track() reports, and what: all of it that does not depend on types.
class TrackLog {
 public:
  /// Throws Error(usage) for an interval below 0.
  explicit TrackLog(const TrackOptions& options);

  /// The weight of the future that is added as the next one.
  void add(std::uint64_t weight);
  void complete(std::size_t number, ProgressMeter::Outcome outcome, TimePoint now);

  bool due(TimePoint now) const { return now - reported_ >= interval_; }
  /// How long to wait for the next completion before a report is due; none: whenever it comes.
  std::optional<TimePoint> next_report() const;
  Progress report(TimePoint now);
  Progress last_report(TimePoint now) const { return meter_.at(now, true); }

 private:
  ProgressMeter meter_;
  Duration interval_;
  bool weighted_;
  std::vector<std::uint64_t> weights_;  // empty unless weighted_
  TimePoint reported_{};
};

void check_weights(std::size_t weights, std::size_t futures);
ProgressMeter::Outcome outcome_of(FutureState state, bool failed) noexcept;
void log_track_error() noexcept;

}  // namespace detail

/// The futures given to track(), as they complete. An input range as AsCompleted is, used by one
/// thread, which is the one that calls the callback.
template <class T, std::invocable<const Progress&> Callback>
class [[nodiscard]] Tracked {
  struct Impl;

 public:
  /// Of no futures yet; see track(), which throws the same.
  Tracked(Callback callback, const TrackOptions& options)
      : impl_(std::make_unique<Impl>(std::move(callback), options)) {}
  Tracked(Tracked&&) noexcept = default;
  Tracked& operator=(Tracked&&) = delete;
  ~Tracked() {
    if (impl_ != nullptr) impl_->leave();
  }

  /// Also waits for this one, unless it is among them already. May be called while iterating. The
  /// weight counts only if weights were given to track().
  void add(Future<T> future, std::uint64_t weight = 1) {
    if (impl_->futures.add(std::move(future))) impl_->log.add(weight);
  }

  class iterator {
   public:
    using value_type = Future<T>;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using reference = Future<T>&;
    using pointer = Future<T>*;

    iterator() = default;
    Future<T>& operator*() const { return impl_->futures.current(); }
    Future<T>* operator->() const { return &impl_->futures.current(); }
    /// Waits for the next one. Throws TimeoutError, and what the callback throws.
    iterator& operator++() {
      impl_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) { return at.at_end(); }

   private:
    friend class Tracked;
    explicit iterator(Impl* impl) : impl_(impl) {}
    bool at_end() const { return impl_ == nullptr || !impl_->futures.current().valid(); }

    Impl* impl_ = nullptr;
  };

  /// Makes the first report and waits for the first future; to be called once. Throws as ++ does.
  iterator begin() {
    impl_->started = true;
    impl_->report();
    impl_->advance();
    return iterator(impl_.get());
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  struct Impl {
    Impl(Callback function, const TrackOptions& options)
        : futures(options.timeout), callback(std::move(function)), log(options) {}

    AsCompleted<T> futures;
    Callback callback;
    detail::TrackLog log;
    bool started = false;
    bool ended = false;  // the callback must not be called any more

    void advance() {
      while (!next()) {
        if (futures.left() == 0) return end();
        report();  // nothing has completed, but time has passed
      }
      const Future<T>& future = futures.current();
      const FutureState state = future.state();
      const bool failed =
          state == FutureState::finished && future.exception(Duration::zero()) != nullptr;
      const TimePoint now = Clock::now();
      log.complete(futures.number(), detail::outcome_of(state, failed), now);
      if (log.due(now)) report(now);
    }

    bool next() {
      try {
        return futures.next(log.next_report());
      } catch (const TimeoutError&) {
        end();
        throw;
      }
    }

    void report(TimePoint now = Clock::now()) {
      if (!ended) call(log.report(now));
    }

    void end() {
      if (std::exchange(ended, true)) return;
      callback(log.last_report(Clock::now()));
    }

    void leave() noexcept {
      try {
        if (started) end();
      } catch (...) {
        detail::log_track_error();
      }
    }

    void call(const Progress& progress) {
      ended = true;  // in case it throws
      callback(progress);
      ended = false;
    }
  };

  std::unique_ptr<Impl> impl_;
};

/// as_completed() that says how far it is: the same order, duplicates once, timeout and add(), and
/// `callback(progress)` is called by the iterating thread
///   - once at the start, before the first wait,
///   - when a future is given out or a wait goes on, at most every `interval`,
///   - once at the end, with `ended` set: also after a timeout, and when the loop is left early by
///     break or by an exception (then as the range is destroyed).
/// Done are the futures that iteration has given out. Nothing is reported while the loop's body
/// runs. What the callback throws comes out of the iteration, after which it is not called again;
/// only what it throws when the loop was left early is logged to stderr. A range that is never
/// iterated calls nothing.
///
///     for (auto& each : muster::track(futures, std::ref(bar))) use(each.result());
///
/// Throws Error(usage) for an interval below 0 and if there are weights, but not as many as
/// futures.
template <std::ranges::input_range Futures, std::invocable<const Progress&> Callback>
auto track(Futures&& futures, Callback callback, const TrackOptions& options = {}) {
  using T = typename std::ranges::range_value_t<Futures>::value_type;
  Tracked<T, Callback> out(std::move(callback), options);
  std::size_t given = 0;
  for (const auto& each : futures) {
    out.add(each, given < options.weights.size() ? options.weights[given] : 1);
    ++given;
  }
  if (!options.weights.empty()) detail::check_weights(options.weights.size(), given);
  return out;
}

}  // namespace muster
