#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string>

#include <muster/base/error.hpp>
#include <muster/scheduling/failure_cause.hpp>

namespace muster::jobs {

/// An attempt's error in the terms of the scheduler and of the user.
struct AttemptFailure {
  scheduling::FailureCause cause = scheduling::FailureCause::task_error;
  ErrorCode code = ErrorCode::task;
  std::string message;
  std::string hint;
};

/// `place` turns a position in the chunk into words; it may give an empty text.
AttemptFailure classify(const std::exception_ptr& error,
                        const std::function<std::string(std::uint64_t)>& place);

}  // namespace muster::jobs
