#include <csignal>
#include <cstring>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/base/units.hpp>
#include <muster/executors/errors.hpp>

namespace muster {
namespace {

std::string describe(const WorkerDeath& death) {
  std::string text = "task process " + std::to_string(death.pid);
  if (death.signal != 0) {
    const char* name = ::sigabbrev_np(death.signal);
    text += " was killed by signal " + std::to_string(death.signal);
    if (name != nullptr) text += std::string(" (SIG") + name + ")";
  } else {
    text += " exited with code " + std::to_string(death.exit_code);
  }
  text += " while it ran the task; it used at most " + format_bytes(death.max_rss_bytes);
  if (death.position != 0) text += "; position " + std::to_string(death.position);
  if (!death.stderr_tail.empty()) text += "; its last output:\n" + death.stderr_tail;
  return text;
}

}  // namespace

bool WorkerDeath::own_doing() const noexcept {
  switch (signal) {
    case 0:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGTRAP:
    case SIGSYS:
      return true;
    default:
      return false;
  }
}

RemoteError::RemoteError(ErrorCode code, const std::string& message, std::string hint,
                         std::vector<RemoteCause> chain)
    : Error(code, message, std::move(hint)), chain_(std::move(chain)) {
  MUSTER_ASSERT(!chain_.empty());
}

WorkerDiedError::WorkerDiedError(WorkerDeath death)
    : Error(ErrorCode::worker_died, describe(death)), death_(std::move(death)) {}

}  // namespace muster
