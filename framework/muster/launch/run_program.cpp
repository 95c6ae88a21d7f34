#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/launch/poll.hpp>
#include <muster/launch/run_program.hpp>

namespace muster::launch {
namespace {

/// What posix_spawn is told. The program gets the streams given and no other descriptor, no blocked
/// signal, and the usual handling of those that we may have ignored or taken.
class SpawnSettings {
 public:
  explicit SpawnSettings(bool detached) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1})
      ::sigaddset(&signals, each);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (detached) flags |= POSIX_SPAWN_SETSID;
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  void stream(int number, int fd) { ::posix_spawn_file_actions_adddup2(&actions_, fd, number); }
  void stream(int number, const char* path, int flags) {
    constexpr mode_t mode = 0644;
    ::posix_spawn_file_actions_addopen(&actions_, number, path, flags, mode);
  }

  /// 0, or the errno of what failed, exec included.
  int start(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
            pid_t& pid) {
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    const std::vector<char*> argv = pointers(arguments);
    const std::vector<char*> envp = pointers(environment);
    return ::posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv.data(), envp.data());
  }

 private:
  static std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    // posix_spawn takes them as exec does: not const, and never written to.
    for (const std::string& each : texts) out.push_back(const_cast<char*>(each.c_str()));
    out.push_back(nullptr);
    return out;
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::vector<std::string> own_environment(const std::string& without) {
  std::vector<std::string> out;
  for (char** each = ::environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view variable = *each;
    if (without.empty() || !variable.starts_with(without)) out.emplace_back(variable);
  }
  return out;
}

UniqueFd memory_file() {
  UniqueFd fd(::memfd_create("stream", MFD_CLOEXEC));
  if (!fd) throw system_error(errno, "cannot make a memory file");
  // Above 2, so that no stream of the program is overwritten before it is copied.
  constexpr int first_fd = 3;
  if (fd.get() >= first_fd) return fd;
  UniqueFd higher(::fcntl(fd.get(), F_DUPFD_CLOEXEC, first_fd));
  if (!higher) throw system_error(errno, "cannot make a memory file");
  return higher;
}

std::string content(const UniqueFd& fd) {
  constexpr off_t bytes_max = off_t{64} << 20U;
  const off_t size = std::min(::lseek(fd.get(), 0, SEEK_END), bytes_max);
  std::string out(static_cast<std::size_t>(std::max(size, off_t{0})), '\0');
  out.resize(read_at(fd.get(), out.data(), out.size(), 0, "a memory file"));
  return out;
}

/// A program that was started. It is reaped before this is gone.
class RunningProgram {
 public:
  explicit RunningProgram(const ProgramCall& call)
      : in_(memory_file()), out_(memory_file()), err_(memory_file()) {
    write_all(in_.get(), call.input, "a memory file");
    ::lseek(in_.get(), 0, SEEK_SET);
    SpawnSettings settings(false);
    settings.stream(STDIN_FILENO, in_.get());
    settings.stream(STDOUT_FILENO, out_.get());
    settings.stream(STDERR_FILENO, err_.get());
    end_.start_error =
        settings.start(call.arguments, own_environment(call.without_variables), pid_);
    if (end_.start_error != 0) {
      pid_ = 0;
      return;
    }
    pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  ~RunningProgram() { reap(true); }
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  ProgramEnd wait(TimePoint deadline) {
    if (pid_ != 0) {
      pollfd polled{pidfd_.get(), POLLIN, 0};
      const auto left = [&] {
        return std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      };
      int ready = 0;
      while (ready <= 0 && left() > 0) ready = ::poll(&polled, 1, static_cast<int>(left()));
      end_.timed_out = ready <= 0;
      reap(end_.timed_out);
      end_.out = content(out_);
      end_.err = content(err_);
    }
    return std::move(end_);
  }

 private:
  void reap(bool kill) {
    if (pid_ == 0) return;
    if (kill) ::kill(pid_, SIGKILL);
    int status = 0;
    // Without a bound: it has ended, or was killed.
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = 0;
    if (WIFEXITED(status)) end_.exit_code = WEXITSTATUS(status);
  }

  UniqueFd in_;
  UniqueFd out_;
  UniqueFd err_;
  UniqueFd pidfd_;
  pid_t pid_ = 0;
  ProgramEnd end_;
};

}  // namespace

std::string ProgramEnd::reason() const {
  if (start_error != 0) return system_error(start_error, "it cannot be run").what();
  if (timed_out) return "it took too long";
  const auto last = err.find_last_not_of("\n\r ");
  if (last != std::string::npos) {
    const auto before = err.find_last_of('\n', last);
    const auto first = before == std::string::npos ? 0 : before + 1;
    return err.substr(first, last - first + 1);
  }
  if (exit_code < 0) return "a signal ended it";
  return fmt::format("it ended with exit code {}", exit_code);
}

std::vector<ProgramEnd> run_programs(const std::vector<ProgramCall>& calls, Duration limit) {
  const TimePoint deadline = Clock::now() + limit;
  std::vector<std::unique_ptr<RunningProgram>> running;
  running.reserve(calls.size());
  for (const ProgramCall& each : calls) running.push_back(std::make_unique<RunningProgram>(each));
  std::vector<ProgramEnd> out;
  out.reserve(calls.size());
  for (const auto& each : running) out.push_back(each->wait(deadline));
  return out;
}

ProgramEnd run_program(const ProgramCall& call, Duration limit) {
  return run_programs({call}, limit).front();
}

pid_t start_detached(const DetachedProgram& program) {
  const std::string name = program.variable.substr(0, program.variable.find('=') + 1);
  std::vector<std::string> environment = own_environment(name);
  if (!program.variable.empty()) environment.push_back(program.variable);
  SpawnSettings settings(true);
  settings.stream(STDIN_FILENO, "/dev/null", O_RDONLY);
  settings.stream(STDOUT_FILENO, program.log.c_str(), O_WRONLY | O_CREAT | O_APPEND);
  settings.stream(STDERR_FILENO, STDOUT_FILENO);
  pid_t pid = 0;
  const int error = settings.start(program.arguments, environment, pid);
  if (error != 0) {
    throw Error(ErrorCode::usage,
                system_error(error, fmt::format("cannot run '{}'", program.arguments[0])).what(),
                "is it installed, and may it be run?");
  }
  // posix_spawn returns a moment before the new environment can be seen, and by that the program is
  // found. One that has ended has none.
  const std::string file = fmt::format("/proc/{}/environ", pid);
  poll_until(
      [&] {
        std::ifstream in(file, std::ios::binary);
        return in.peek() != std::ifstream::traits_type::eof() || has_ended(pid);
      },
      std::chrono::seconds(1), std::chrono::microseconds(50));
  return pid;
}

bool has_ended(pid_t child) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid == child;
}

std::optional<std::filesystem::path> find_program(const std::string& name) {
  namespace fs = std::filesystem;
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) == 0) return fs::path(name);
    return std::nullopt;
  }
  const char* const path = std::getenv("PATH");  // NOLINT: nobody sets it meanwhile
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(folder.size() + 1, rest.size()));
    const fs::path file = fs::path(folder) / name;
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

}  // namespace muster::launch
