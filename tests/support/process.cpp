#include "support/process.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace muster::testing {
namespace {

namespace fs = std::filesystem;

UniqueFd memory_file(const std::string& text) {
  UniqueFd fd(::memfd_create("stream", MFD_CLOEXEC));
  if (!fd) throw std::runtime_error("memfd_create failed");
  write_all(fd.get(), text, "a memory file");
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

// Variables that would change what Muster does are not handed on, unless the test sets them.
std::vector<std::string> environment_for(const Command& command) {
  std::vector<std::string> out;
  for (char** each = ::environ; *each != nullptr; ++each) {
    const std::string text = *each;
    const std::string name = text.substr(0, text.find('=') + 1);
    const bool replaced =
        std::any_of(command.environment.begin(), command.environment.end(),
                    [&](const std::string& given) { return given.starts_with(name); });
    if (!replaced && !name.starts_with("MUSTER_")) out.push_back(text);
  }
  out.insert(out.end(), command.environment.begin(), command.environment.end());
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& each : texts) out.push_back(each.data());
  out.push_back(nullptr);
  return out;
}

[[noreturn]] void become(const Command& command, int in, int out, int err, char* const* arguments,
                         char* const* environment) {
  constexpr int exit_not_started = 127;
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(each, SIG_DFL);
  const bool placed = command.directory.empty() || ::chdir(command.directory.c_str()) == 0;
  if (placed && ::dup2(in, 0) == 0 && ::dup2(out, 1) == 1 && ::dup2(err, 2) == 2) {
    ::execvpe(arguments[0], arguments, environment);
  }
  ::_exit(exit_not_started);
}

std::string content(int fd) {
  std::string out(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  out.resize(read_at(fd, out.data(), out.size(), 0, "a memory file"));
  return out;
}

// Of files in /proc: what is there of one whose process goes away meanwhile.
std::string whole_file(const fs::path& path) {
  const std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

std::string Finished::text() const {
  constexpr std::size_t shown = 2000;
  return fmt::format("exit code {}, signal {}{}\n--- stdout\n{}\n--- stderr\n{}", exit_code, signal,
                     timed_out ? ", killed: it took too long" : "", out.substr(0, shown),
                     err.substr(0, shown));
}

Running::Running(const Command& command)
    : deadline_(std::chrono::steady_clock::now() + command.timeout),
      out_(memory_file({})),
      err_(memory_file({})) {
  const UniqueFd in = command.input_file ? open_file(*command.input_file, O_RDWR | O_NONBLOCK)
                                         : memory_file(command.input);
  ::fcntl(in.get(), F_SETFL, 0);
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = environment_for(command);
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  // Above 2, so that no dup2 overwrites what a later one copies.
  const UniqueFd safe_in(::fcntl(in.get(), F_DUPFD_CLOEXEC, 10));
  const UniqueFd safe_out(::fcntl(out_.get(), F_DUPFD_CLOEXEC, 10));
  const UniqueFd safe_err(::fcntl(err_.get(), F_DUPFD_CLOEXEC, 10));
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    become(command, safe_in.get(), safe_out.get(), safe_err.get(), argv.data(), envp.data());
  }
}

Running::~Running() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  reap(0);
}

bool Running::reap(int options) {
  while (!reaped_) {
    const pid_t got = ::waitpid(pid_, &status_, options);
    if (got == 0) return false;
    if (got < 0 && errno == EINTR) continue;
    reaped_ = true;
  }
  return true;
}

bool Running::ended() { return reap(WNOHANG); }

std::string Running::err() const { return content(err_.get()); }

Finished Running::wait() {
  Finished out;
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  while (!reap(WNOHANG)) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline_ - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      out.timed_out = true;
      ::kill(pid_, SIGKILL);
      reap(0);
      break;
    }
    pollfd polled{pidfd.get(), POLLIN, 0};
    ::poll(&polled, 1, static_cast<int>(left.count()));
  }
  if (WIFEXITED(status_)) out.exit_code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) out.signal = WTERMSIG(status_);
  out.out = content(out_.get());
  out.err = content(err_.get());
  return out;
}

Finished run(const Command& command) { return Running(command).wait(); }

std::vector<std::pair<pid_t, std::string>> processes_marked(const std::string& mark) {
  std::vector<std::pair<pid_t, std::string>> out;
  std::error_code gone;
  for (fs::directory_iterator each("/proc", gone), end; !gone && each != end;
       each.increment(gone)) {
    const std::string name = each->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string environment = whole_file(each->path() / "environ");
    if (!environment.starts_with(mark + '\0') &&
        environment.find('\0' + mark + '\0') == std::string::npos) {
      continue;
    }
    std::string comm = whole_file(each->path() / "comm");
    if (!comm.empty() && comm.back() == '\n') comm.pop_back();
    out.emplace_back(static_cast<pid_t>(std::stol(name)), comm);
  }
  return out;
}

std::vector<std::string> open_files(pid_t pid) {
  std::vector<std::string> out;
  std::error_code gone;
  for (fs::directory_iterator each(fmt::format("/proc/{}/fd", pid), gone), end;
       !gone && each != end; each.increment(gone)) {
    std::error_code closed;
    out.push_back(fs::read_symlink(each->path(), closed).string());
  }
  return out;
}

}  // namespace muster::testing
