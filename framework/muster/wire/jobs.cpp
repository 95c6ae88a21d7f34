#include <muster/wire/jobs.hpp>

namespace muster::wire {

const char* to_string(JobState::Phase phase) noexcept {
  using Phase = JobState::Phase;
  switch (phase) {
    case Phase::waiting:
      return "waiting";
    case Phase::running:
      return "running";
    case Phase::finishing:
      return "finishing";
    case Phase::succeeded:
      return "succeeded";
    case Phase::failed:
      return "failed";
    case Phase::cancelled:
      break;
  }
  return "cancelled";
}

}  // namespace muster::wire
