#include <algorithm>
#include <cmath>

#include <muster/base/assert.hpp>
#include <muster/patterns/progress.hpp>

namespace muster {
namespace {

constexpr double fade_seconds = 10.0;
constexpr double sample_fade_max = 0.2;
constexpr Duration sample_min = std::chrono::seconds(1);
constexpr double eta_fraction_min = 0.05;
constexpr double eta_seconds_max = 1e9;  // thirty years; more would not fit a Duration

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

ProgressMeter::Past ProgressMeter::Past::with(double more, Duration length) const {
  const double kept = std::exp(-std::min(seconds_of(length) / fade_seconds, sample_fade_max));
  return {amount * kept + more, seconds * kept + seconds_of(length)};
}

// Infinite for what took no time.
double ProgressMeter::Past::rate() const { return amount / seconds; }

void ProgressMeter::add(std::uint64_t weight) {
  ++known_;
  weight_known_ += weight;
}

void ProgressMeter::complete(Outcome outcome, TimePoint now, std::uint64_t weight) {
  switch (outcome) {
    case Outcome::succeeded:
      ++succeeded_;
      break;
    case Outcome::failed:
      ++failed_;
      break;
    case Outcome::cancelled:
      ++cancelled_;
      break;
  }
  weight_done_ += weight;
  const bool first = succeeded_ + failed_ + cancelled_ == 1;
  MUSTER_ASSERT(succeeded_ + failed_ + cancelled_ <= known_);
  const Duration gathered = std::max(sample_min, (open_first_ - closed_end_) / 2);
  const bool closes = !first && now - open_first_ >= gathered;
  if (closes) {
    closed_ = closed_.with(open_, open_last_ - closed_end_);
    closed_end_ = open_last_;
    closed_last_ = open_;
    open_ = 0.0;
  }
  if (first || closes) open_first_ = now;
  open_ += weighted_ ? static_cast<double>(weight) : 1.0;
  open_last_ = now;
}

double ProgressMeter::rate_at(TimePoint now) const {
  if (open_ <= 0.0) return 0.0;
  const Past measured = closed_.with(open_, open_last_ - closed_end_);
  double rate = measured.rate();
  // While the sample is being gathered, it may lack what is about to come.
  const Duration gathered = std::max(sample_min, (open_first_ - closed_end_) / 2);
  if (closed_.seconds > 0.0 && now - open_first_ < gathered) rate = std::max(rate, closed_.rate());
  // The most that it can be: another sample like the last one comes at this moment.
  const Past best = measured.with(std::max(open_, closed_last_), now - open_last_);
  rate = std::min(rate, best.rate());
  return std::isfinite(rate) ? rate : 0.0;
}

Progress ProgressMeter::at(TimePoint now, bool ended) const {
  Progress out;
  out.done = succeeded_ + failed_ + cancelled_;
  out.failed = failed_;
  out.cancelled = cancelled_;
  out.total = std::max(known_, expected_);
  out.elapsed = now - start_;
  out.ended = ended;
  auto done = static_cast<double>(out.done);
  auto total = static_cast<double>(out.total);
  if (weighted_ && weight_known_ != 0) {
    done = static_cast<double>(weight_done_);
    const double mean = static_cast<double>(weight_known_) / static_cast<double>(known_);
    total = static_cast<double>(weight_known_) + mean * static_cast<double>(out.total - known_);
    out.weight_done = weight_done_;
    out.weight_total = static_cast<std::uint64_t>(std::llround(total));
  }
  out.fraction = total > 0.0 ? std::min(done / total, 1.0) : 1.0;
  const double mean_rate = out.elapsed > Duration::zero() ? done / seconds_of(out.elapsed) : 0.0;
  out.per_second = ended ? mean_rate : rate_at(now);
  if (!ended && out.done < out.total && out.fraction >= eta_fraction_min && out.per_second > 0.0) {
    const std::chrono::duration<double> left((total - done) / out.per_second);
    if (left.count() < eta_seconds_max) out.eta = std::chrono::duration_cast<Duration>(left);
  }
  return out;
}

}  // namespace muster
