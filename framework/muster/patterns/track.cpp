#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/patterns/track.hpp>

namespace muster::detail {

TrackLog::TrackLog(const TrackOptions& options)
    : meter_(Clock::now(), !options.weights.empty()),
      interval_(options.interval),
      weighted_(!options.weights.empty()) {
  if (interval_ < Duration::zero()) {
    throw Error(ErrorCode::usage,
                fmt::format("track: the interval is {} ns", options.interval.count()),
                "give 0 for a report of every completion, or a time between reports");
  }
  meter_.expect(options.total);
}

void TrackLog::add(std::uint64_t weight) {
  meter_.add(weight);
  if (weighted_) weights_.push_back(weight);
}

void TrackLog::complete(std::size_t number, ProgressMeter::Outcome outcome, TimePoint now) {
  meter_.complete(outcome, now, weighted_ ? weights_[number] : 1);
}

std::optional<TimePoint> TrackLog::next_report() const {
  if (interval_ == Duration::zero() || interval_ >= TimePoint::max() - reported_) {
    return std::nullopt;
  }
  return reported_ + interval_;
}

Progress TrackLog::report(TimePoint now) {
  reported_ = now;
  return meter_.at(now);
}

void check_weights(std::size_t weights, std::size_t futures) {
  if (weights == futures) return;
  throw Error(ErrorCode::usage, fmt::format("track: {} weights for {} futures", weights, futures),
              "give each future its weight; those added later take theirs in add()");
}

ProgressMeter::Outcome outcome_of(FutureState state, bool failed) noexcept {
  if (state == FutureState::cancelled) return ProgressMeter::Outcome::cancelled;
  return failed ? ProgressMeter::Outcome::failed : ProgressMeter::Outcome::succeeded;
}

void log_track_error() noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster: a progress callback threw: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "muster: a progress callback threw what is no std::exception\n");
  }
}

}  // namespace muster::detail
