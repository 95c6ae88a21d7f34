#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/version.hpp>
#include <muster/executors/processes/frame.hpp>
#include <muster/executors/processes/process_setup.hpp>
#include <muster/executors/processes/shared_area.hpp>
#include <muster/executors/processes/spawn_protocol.hpp>
#include <muster/executors/processes/task_host.hpp>
#include <muster/executors/processes/zygote.hpp>

namespace muster::detail {
namespace {

constexpr const char* host_variable = "MUSTER_TASK_HOST";
constexpr int host_socket = 3;       // in the program that is started
constexpr int exit_no_program = 71;  // EX_OSERR of sysexits.h

/// Raised by every change to what pools, zygotes and task processes say to each other.
constexpr std::uint32_t task_layout_version = 1;

/// What the program says first. Of fixed layout, whatever version it is of.
struct Greeting {
  std::array<char, 8> magic = {'m', 'u', 's', 't', 'e', 'r', 'T', 'H'};
  std::uint32_t layout = task_layout_version;
  std::array<std::uint32_t, 3> sizes = {sizeof(SpawnMessage), sizeof(SharedHeader),
                                        sizeof(FrameHeader)};
  std::array<char, 16> version = {};  // of its muster, for people
  std::uint64_t entry = 0;
};

void run_task_by_address(TaskContext& context, std::string_view call, ResultSink& result) {
  ByteReader in(call, "a call");
  CodeAddress address;
  address.module = in.fixed<std::uint64_t>();
  address.offset = in.fixed<std::uint64_t>();
  const auto function =
      reinterpret_cast<RemoteFunction>(reinterpret_cast<std::uintptr_t>(find_code(address)));
  function(context, in.take(in.remaining()), result);
}

bool is_packet_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/// What kept the new process from becoming the program; its parent reads this from a pipe.
struct StartFailure {
  int error = 0;                    ///< an errno
  std::array<char, 100> step = {};  ///< in words; empty: the execve() itself
};

struct Launch {
  const char* file;
  char* const* arguments;
  char* const* environment;
  const std::function<HostSetupFailure()>& setup;
};

/// The whole life of the new process until it is the program. Other threads of the parent may have
/// held any lock when it was forked: system calls, and nothing else.
[[noreturn]] void become_program(const Launch& launch, int socket, int pipe, pid_t parent) {
  static_assert(host_socket == STDERR_FILENO + 1, "where keep_only() puts the first");
  die_with_parent(parent);  // until init(), which asks for it again; it survives execve()
  reset_signals();
  StartFailure failure;
  if (launch.setup) {  // while the descriptors are open that it may need
    const HostSetupFailure setup = launch.setup();
    failure.error = setup.error;
    if (setup.error != 0) ::strncpy(failure.step.data(), setup.step, failure.step.size() - 1);
  }
  point_to_null(STDIN_FILENO, STDIN_FILENO);
  int kept[] = {socket, pipe};
  keep_only(kept);
  if (failure.error == 0 && ::fcntl(host_socket, F_SETFD, 0) == 0)
    ::execve(launch.file, launch.arguments, launch.environment);
  if (failure.error == 0) failure.error = errno;
  // If nobody reads it, nobody waits for the program.
  [[maybe_unused]] const ssize_t told = ::write(kept[1], &failure, sizeof(failure));
  ::_exit(exit_no_program);
}

}  // namespace

UniqueFd take_host_socket() {
  const char* const text = std::getenv(host_variable);  // NOLINT: one thread, at the top of main
  if (text == nullptr) return UniqueFd();
  const std::string_view number(text);
  int fd = -1;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), fd);
  if (read.ec != std::errc() || read.ptr != number.data() + number.size() ||
      !is_packet_socket(fd)) {
    throw Error(ErrorCode::usage,
                std::string(host_variable) + "=" + text + " is no socket of a muster worker",
                "unset it: workers set it for the programs that they start");
  }
  ::unsetenv(host_variable);  // NOLINT: as above
  return UniqueFd(fd);
}

void serve_as_task_host(UniqueFd socket) {
  Greeting greeting;
  const std::string_view version = muster::version_text;
  version.copy(greeting.version.data(), greeting.version.size() - 1);
  greeting.entry = reinterpret_cast<std::uintptr_t>(&run_task_by_address);
  // If nobody is there any more, the zygote finds the socket closed.
  [[maybe_unused]] const auto sent =
      ::send(socket.get(), &greeting, sizeof(greeting), MSG_NOSIGNAL);
  zygote_main(std::move(socket), ::getppid());
}

Bytes call_by_address(const CodeAddress& function) {
  Bytes out;
  ByteWriter writer(out);
  writer.fixed(function.module);
  writer.fixed(function.offset);
  return out;
}

TaskHost::TaskHost(const Command& command) : name_(command.name) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw system_error(errno, "cannot make a socket to " + name_);
  }
  control_ = UniqueFd(ends[0]);
  const UniqueFd theirs(ends[1]);
  std::string name = name_;
  std::vector<std::string> environment = command.environment;
  environment.push_back(fmt::format("{}={}", host_variable, host_socket));
  char* arguments[] = {name.data(), nullptr};
  std::vector<char*> variables;
  variables.reserve(environment.size() + 1);
  for (std::string& each : environment) variables.push_back(each.data());
  variables.push_back(nullptr);
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) throw system_error(errno, "cannot make a pipe");
  const UniqueFd told(pipe_ends[0]);
  UniqueFd tells(pipe_ends[1]);
  const Launch launch{command.file.c_str(), arguments, variables.data(), command.setup};
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw system_error(errno, "cannot start " + command.file);
  if (pid_ == 0) become_program(launch, theirs.get(), tells.get(), parent);
  tells.reset();
  await_exec(told.get(), command.file);
}

/// The pipe is closed by the execve(). Throws if that failed.
void TaskHost::await_exec(int pipe, const std::string& file) {
  StartFailure failure;
  ssize_t got = -1;
  do {
    got = ::read(pipe, &failure, sizeof(failure));
  } while (got < 0 && errno == EINTR);
  if (got == 0) return;
  bury();
  if (got != static_cast<ssize_t>(sizeof(failure))) failure = {EIO, {}};
  failure.step.back() = '\0';
  if (failure.step.front() == '\0') throw system_error(failure.error, "cannot start " + file);
  throw system_error(failure.error, fmt::format("cannot start {}: {}", file, failure.step.data()));
}

TaskHost::~TaskHost() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  bury();
}

void TaskHost::bury() {
  control_.reset();
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);  // whatever it does: nobody can reach it any more
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

/// For people; reaps it.
std::string TaskHost::describe_end() {
  int status = 0;
  pid_t ended = 0;
  // It has closed its socket, or is about to end.
  do {
    ended = ::waitpid(pid_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  pid_ = 0;
  if (ended > 0 && WIFSIGNALED(status)) {
    return fmt::format("it was killed by signal {} ({})", WTERMSIG(status),
                       ::strsignal(WTERMSIG(status)));
  }
  return fmt::format("it exited with code {}", ended > 0 ? WEXITSTATUS(status) : -1);
}

bool TaskHost::poll_greeting() {
  if (entry_ != nullptr) return true;
  Greeting greeting;
  const ssize_t got = ::recv(control_.get(), &greeting, sizeof(greeting), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    ::kill(pid_, SIGKILL);
    throw Error(ErrorCode::usage,
                name_ + " did not come to muster::init() on the worker: " + describe_end(),
                "call muster::init() at the top of main; what the program wrote is in the "
                "worker's log");
  }
  const Greeting expected;
  if (static_cast<std::size_t>(got) != sizeof(greeting) || greeting.magic != expected.magic ||
      greeting.layout != expected.layout || greeting.sizes != expected.sizes) {
    greeting.version.back() = '\0';
    throw Error(ErrorCode::usage,
                fmt::format("{} was built with muster {}, the worker with {}: their tasks are laid "
                            "out differently",
                            name_, greeting.version.data(), version_text),
                "build the program and the workers with the same version of muster");
  }
  entry_ = reinterpret_cast<RemoteFunction>(static_cast<std::uintptr_t>(greeting.entry));
  return true;
}

UniqueFd TaskHost::connect() { return connect_over(control_.get()); }

}  // namespace muster::detail
