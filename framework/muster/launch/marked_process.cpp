#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/launch/marked_process.hpp>
#include <muster/launch/poll.hpp>

namespace muster::launch {
namespace {

namespace fs = std::filesystem;

/// Empty if the process has gone, or is somebody else's.
std::string proc_file(pid_t pid, const char* name) {
  const std::ifstream in(fmt::format("/proc/{}/{}", pid, name), std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// Programs of a cluster lead a session; what they fork, with the same environment, does not.
bool leads_session(pid_t pid) {
  const std::string stat = proc_file(pid, "stat");
  const auto name_end = stat.rfind(')');  // the name may have blanks and brackets
  if (name_end == std::string::npos) return false;
  std::istringstream rest(stat.substr(name_end + 1));
  std::string state;
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  rest >> state >> parent >> group >> session;
  return session == pid;
}

std::optional<MarkedProcess> read_marked(pid_t pid, const std::string& token) {
  const std::string environment = proc_file(pid, "environ");
  const std::string wanted = fmt::format("{}={}/", part_variable, token);
  auto at = environment.find(wanted);
  if (at == std::string::npos || (at != 0 && environment[at - 1] != '\0')) return std::nullopt;
  at += wanted.size();
  const std::string part = environment.substr(at, environment.find('\0', at) - at);
  const auto slash = part.find('/');
  if (slash == std::string::npos || !leads_session(pid)) return std::nullopt;
  return MarkedProcess{pid, part.substr(0, slash), part.substr(slash + 1)};
}

}  // namespace

std::string part_mark(const std::string& token, const std::string& role,
                      const std::string& number) {
  return fmt::format("{}={}/{}/{}", part_variable, token, role, number);
}

std::vector<MarkedProcess> marked_processes(const std::string& token, const std::string& role) {
  std::vector<MarkedProcess> out;
  std::error_code gone;
  for (fs::directory_iterator each("/proc", gone), end; !gone && each != end;
       each.increment(gone)) {
    const std::string name = each->path().filename().string();
    pid_t pid = 0;
    const auto [rest, problem] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (problem != std::errc() || rest != name.data() + name.size()) continue;
    auto found = read_marked(pid, token);
    if (found && found->role == role) out.push_back(std::move(*found));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });
  return out;
}

void signal_marked(const std::string& token, const MarkedProcess& process, int signal) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  // Looked at again: from here on the descriptor is this process, whatever its number.
  const auto found = read_marked(process.pid, token);
  if (!pidfd || !found || found->number != process.number) return;
  // It fails if the process has just ended, which is as good.
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

void end_marked(const std::string& token, const std::string& role, Duration grace) {
  using namespace std::chrono_literals;
  std::vector<MarkedProcess> left;
  const auto send = [&](int signal) {
    for (const MarkedProcess& each : left) signal_marked(token, each, signal);
  };
  const auto none_left = [&] {
    left = marked_processes(token, role);
    return left.empty();
  };
  if (none_left()) return;
  send(SIGTERM);
  if (poll_until(none_left, grace, 20ms)) return;
  const auto killed = [&] {
    send(SIGKILL);  // each time: one may have become visible just now
    return none_left();
  };
  if (poll_until(killed, 10s, 20ms)) return;
  throw Error(ErrorCode::broken, fmt::format("process {} cannot be killed", left.front().pid),
              "it may hang in a file system; try again later");
}

}  // namespace muster::launch
