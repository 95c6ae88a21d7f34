#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <muster/base/clock.hpp>

namespace muster {

/// How far work on many futures is, at one moment.
struct Progress {
  std::size_t done = 0;       ///< ended in any way, failed and cancelled included
  std::size_t failed = 0;     ///< with an error
  std::size_t cancelled = 0;  ///< neither succeeded nor failed
  std::size_t total = 0;      ///< known so far, or expected if that is more
  /// 0 unless weights are given. What is expected is taken to weigh as the mean of what is known.
  std::uint64_t weight_done = 0;
  std::uint64_t weight_total = 0;
  Duration elapsed{};  ///< since the call of track()
  /// Futures a second, or weight a second if weights are given; 0 while none is done. The mean of
  /// everything at first and at the end, in between of the recent past: see ProgressMeter.
  double per_second = 0.0;
  double fraction = 0.0;  ///< from 0 to 1, by weight if weights are given; 1 if there is no work
  /// The time left at the present rate. None where that means nothing: below 5 %, and when nothing
  /// is left or the work was left.
  std::optional<Duration> eta = std::nullopt;
  bool ended = false;  ///< this is the last report: all is done, or the loop was left
};

/// The arithmetic of progress: counts, rate, time left. It has no clock: each call is told the
/// time, which must not run backwards. Used by one thread.
///
/// The rate is measured in samples. A sample gathers what completes within a second, or within half
/// the quiet time before it if that is longer, so that eight tasks of a minute that run side by
/// side and end at nearly the same moment are one sample. Samples fade with a time constant of
/// 10 s, in which none counts for more than 2 s, so that slow work is judged by its last five
/// samples or so. Uniform work has its exact rate at every moment; where nothing
/// completes any more, the rate sinks as soon as that takes longer than a sample like the last one
/// would.
class ProgressMeter {
 public:
  /// What became of a future.
  enum class Outcome : std::uint8_t { succeeded, failed, cancelled };

  /// Weighted: rate, fraction and time left go by weight instead of by the number of futures.
  explicit ProgressMeter(TimePoint start, bool weighted = false)
      : start_(start), weighted_(weighted), closed_end_(start) {}

  /// One more future is known. Weights are all in one unit; without them they are ignored.
  void add(std::uint64_t weight = 1);
  /// At least this many are expected, the known ones included.
  void expect(std::size_t total) noexcept { expected_ = total; }
  /// One that was added is done; `weight` is what it was added with.
  void complete(Outcome outcome, TimePoint now, std::uint64_t weight = 1);

  /// `ended`: for the last report.
  Progress at(TimePoint now, bool ended = false) const;

 private:
  struct Past {
    double amount = 0.0;
    double seconds = 0.0;

    Past with(double more, Duration length) const;
    double rate() const;
  };

  double rate_at(TimePoint now) const;

  TimePoint start_;
  bool weighted_;
  std::size_t known_ = 0;
  std::size_t expected_ = 0;
  std::uint64_t weight_known_ = 0;
  std::uint64_t weight_done_ = 0;
  std::size_t succeeded_ = 0;
  std::size_t failed_ = 0;
  std::size_t cancelled_ = 0;

  Past closed_;  // all samples but the last
  TimePoint closed_end_;
  double closed_last_ = 0.0;  // the amount of the last of them
  double open_ = 0.0;         // the last sample's
  TimePoint open_first_{};
  TimePoint open_last_{};
};

}  // namespace muster
