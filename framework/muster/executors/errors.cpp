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
    if (death.out_of_memory) text += ", for want of memory,";
  } else {
    text += " exited with code " + std::to_string(death.exit_code);
  }
  text += " while it ran task " + std::to_string(death.task);
  if (!death.task_name.empty()) text += " ('" + death.task_name + "')";
  text += "; it used at most " + format_bytes(death.max_rss_bytes);
  if (death.position != 0) text += "; position " + std::to_string(death.position);
  if (!death.stderr_tail.empty()) text += "; its last output:\n" + death.stderr_tail;
  return text;
}

std::string headline(const RemoteCause& cause, bool names_itself) {
  if (names_itself) return cause.message;
  return cause.message.empty() ? "threw " + cause.type : cause.type + ": " + cause.message;
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

RemoteFacts::RemoteFacts(RemoteErrorDetails details)
    : details_(std::make_shared<const RemoteErrorDetails>(std::move(details))) {
  MUSTER_ASSERT(!details_->chain.empty());
}

std::string RemoteFacts::summary() const {
  std::string out = headline(chain().front(), details_->names_itself);
  for (std::size_t i = 1; i < chain().size(); ++i) {
    out += "; caused by " + headline(chain()[i], false);
  }
  return out;
}

std::string RemoteFacts::report() const {
  std::string out = headline(chain().front(), false);
  if (!hint().empty()) out += "\n  hint: " + hint();
  for (std::size_t i = 1; i < chain().size(); ++i) {
    out += "\n  caused by " + headline(chain()[i], false);
  }
  out += "\n  thrown in process " + std::to_string(pid()) + " on " + host();
  for (std::size_t i = 0; i < backtrace().size(); ++i) {
    out += "\n  #" + std::to_string(i) + " " + backtrace()[i];
  }
  if (backtrace().empty()) out += "\n  without a backtrace";
  return out;
}

const RemoteFacts* remote_facts(const std::exception& error) noexcept {
  return dynamic_cast<const RemoteFacts*>(&error);
}

RemoteError::RemoteError(const RemoteFacts& facts)
    : Error(facts.code(), facts.summary(), facts.hint()), RemoteFacts(facts) {}

WorkerDiedError::WorkerDiedError(WorkerDeath death)
    : Error(ErrorCode::worker_died, describe(death)), death_(std::move(death)) {}

}  // namespace muster
