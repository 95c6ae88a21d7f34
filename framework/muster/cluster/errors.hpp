#pragma once

#include <string>

#include <muster/base/error.hpp>

namespace muster {

/// The worker that ran a call is gone, or the coordinator has forgotten the call, as often as that
/// may happen: ClusterOptions::worker_retries. Whether the function was entered is not known.
class WorkerLostError : public Error {
 public:
  /// By the executor; `message` says what happened.
  explicit WorkerLostError(const std::string& message) : Error(ErrorCode::worker_died, message) {}
};

}  // namespace muster
