#include <muster/scheduling/failure_cause.hpp>

namespace muster::scheduling {

std::string_view to_string(FailureCause cause) noexcept {
  switch (cause) {
    case FailureCause::task_error:
      return "task_error";
    case FailureCause::crashed:
      return "crashed";
    case FailureCause::killed:
      return "killed";
    case FailureCause::worker_lost:
      return "worker_lost";
    case FailureCause::out_of_memory:
      return "out_of_memory";
    case FailureCause::no_space:
      return "no_space";
    case FailureCause::input_changed:
      return "input_changed";
    case FailureCause::input_lost:
      return "input_lost";
  }
  return "unknown";
}

}  // namespace muster::scheduling
