#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <thread>

#include <muster/base/clock.hpp>
#include <muster/base/error.hpp>
#include <muster/base/file.hpp>

namespace muster::cli {

/// Turns SIGINT, SIGTERM and SIGHUP into a stop request. The second signal kills: whatever the
/// program waits for, its user does not have to. The same one of the same process within a second
/// is no second one. A drain signal, if there is one, asks for
/// something else, and never kills; it comes to nothing after a stop request. One that whoever
/// started the program has ignored, as nohup does with SIGHUP, stays ignored.
///
/// One at a time. It blocks these signals in the thread that makes it, which must be the main
/// thread before any other exists (task processes have their own zygote and are not affected), and
/// watches for them in a thread of its own.
class StopSignals {
 public:
  explicit StopSignals(std::optional<int> drain_signal = std::nullopt);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  /// Requested by the drain signal.
  std::stop_token drain_token() const { return drain_.get_token(); }
  /// The first signal that came, other than the drain signal, or 0. Set before the stop request is
  /// made.
  int received() const noexcept { return received_.load(); }

 private:
  void watch();

  const std::optional<int> drain_signal_;
  std::stop_source source_;
  std::stop_source drain_;
  std::atomic<int> received_{0};
  TimePoint first_at_{};          ///< this and the next are its thread's own
  std::uint32_t first_from_ = 0;  ///< process
  UniqueFd signals_;
  UniqueFd quit_;
  std::thread thread_;
};

/// How a command ends that threw.
struct Ending {
  Error error;
  int exit_code;
};

/// An interrupt is reported as such, with 128 + its signal; whatever else by the error's code.
Ending ending_of(const Error& error, const StopSignals& signals);

}  // namespace muster::cli
