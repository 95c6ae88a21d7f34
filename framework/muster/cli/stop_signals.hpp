#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>

namespace muster::cli {

/// Turns SIGINT, SIGTERM and SIGHUP into a stop request. The second signal kills: whatever the
/// program waits for, its user does not have to. One that whoever started the program has ignored,
/// as nohup does with SIGHUP, stays ignored.
///
/// One at a time. It blocks these signals in the thread that makes it, which must be the main
/// thread before any other exists (task processes have their own zygote and are not affected), and
/// watches for them in a thread of its own.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  /// The first signal that came, or 0. Set before the stop request is made.
  int received() const noexcept { return received_.load(); }

 private:
  void watch();

  std::stop_source source_;
  std::atomic<int> received_{0};
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
