#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/sandbox/readable_paths.hpp>
#include <muster/sandbox/sandbox.hpp>
#include <muster/sandbox/start_sandbox.hpp>

namespace muster::sandbox {
namespace {

constexpr int abi_of_signals = 6;

constexpr const char* reads_secrets = "hidden files can be read all the same, instead of";
constexpr const char* sends_signals = "signals get out all the same, instead of";

struct Trouble {
  std::string step;
  std::string text;
};

/// In the child, which may only do what is safe between fork and exec: what the parent reads.
SandboxFailure try_in_child(const Sandbox& sandbox, int landlock_abi,
                            const std::vector<std::filesystem::path>& secrets, pid_t parent) {
  if (const SandboxFailure failure = sandbox.enter(); failure.error != 0) return failure;
  if (landlock_abi == 0) return {};
  for (const auto& each : secrets) {
    if (::open(each.c_str(), O_RDONLY | O_CLOEXEC) >= 0) return {reads_secrets, EACCES};
  }
  if (landlock_abi >= abi_of_signals && ::kill(parent, 0) == 0) return {sends_signals, EPERM};
  return {};
}

/// Files that are hidden, to be tried.
std::vector<std::filesystem::path> secrets_of(const SandboxRules& rules) {
  std::vector<std::filesystem::path> out;
  for (const auto& each : rules.hidden) {
    if (std::filesystem::is_regular_file(each)) out.push_back(each);
    std::error_code no_directory;
    for (const auto& inside : std::filesystem::directory_iterator(each, no_directory)) {
      if (inside.is_regular_file()) out.push_back(inside.path());
    }
  }
  return out;
}

/// Whether the rules work as they should: what does not.
std::optional<Trouble> trouble_of(const SandboxRules& rules) {
  std::optional<Sandbox> sandbox;
  try {
    sandbox.emplace(rules);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::usage) throw;
    return Trouble{rules.landlock_abi > 0 ? "landlock" : "seccomp", error.what()};
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw system_error(errno, "cannot make a pipe");
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const std::vector<std::filesystem::path> secrets = secrets_of(rules);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw system_error(errno, "cannot fork to try the sandbox");
  if (pid == 0) {
    const SandboxFailure failure = try_in_child(*sandbox, rules.landlock_abi, secrets, parent);
    const ssize_t sent = ::write(to.get(), &failure, sizeof(failure));
    ::_exit(sent == sizeof(failure) ? 0 : 1);
  }
  to.reset();
  SandboxFailure failure;
  const ssize_t got = ::read(from.get(), &failure, sizeof(failure));
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (got != sizeof(failure)) return Trouble{"seccomp", "a process with it does not live"};
  if (failure.error == 0) return std::nullopt;
  return Trouble{failure.step, fmt::format("{}: {}", failure.step, std::strerror(failure.error))};
}

}  // namespace

StartedSandbox start_sandbox(SandboxMode mode, SandboxRules rules) {
  return start_sandbox(mode, std::move(rules), probe_kernel());
}

StartedSandbox start_sandbox(SandboxMode mode, SandboxRules rules, KernelSupport support) {
  StartedSandbox out{std::move(rules), std::move(support)};
  for (;;) {  // each round but the last leaves one of the two out
    out.rules.landlock_abi = out.support.landlock_abi;
    out.rules.filters_calls = out.support.seccomp_trouble.empty();
    const std::optional<Trouble> trouble = trouble_of(out.rules);
    if (!trouble) break;
    if (out.rules.landlock_abi > 0 && trouble->step != "seccomp") {
      out.support.landlock_abi = 0;
      out.support.landlock_trouble = trouble->text;
    } else if (out.rules.filters_calls) {
      out.support.seccomp_trouble = trouble->text;
    } else {
      throw Error(ErrorCode::io,
                  fmt::format("no sandbox can be entered: {}: {}", trouble->step, trouble->text),
                  "--sandbox off runs tasks without one");
    }
  }
  if (mode == SandboxMode::require) require_everything(out.support);
  return out;
}

std::string describe(const StartedSandbox& started) {
  std::string out = "sandbox: " + describe(started.support);
  const auto missing = shortcomings(started.support);
  if (!missing.empty()) out += fmt::format("; not enforced: {}", fmt::join(missing, "; "));
  const bool hides = started.rules.landlock_abi > 0 && !started.rules.hidden.empty();
  if (hides) {
    std::vector<std::string> secrets;
    std::vector<std::string> ways;
    for (const auto& each : started.rules.hidden) secrets.push_back(each.string());
    for (const auto& each : ways_to(started.rules.hidden)) ways.push_back(each.string());
    out += fmt::format("; hidden: {}, and what comes to lie right in {} while a program runs",
                       fmt::join(secrets, ", "), fmt::join(ways, ", "));
  } else if (!started.rules.hidden.empty()) {
    out += "; tasks can read the worker's keys";
  }
  return out;
}

}  // namespace muster::sandbox
