#include "support.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/file.hpp>

namespace muster::test {
namespace {

Shared* shared_memory = nullptr;

/// stdin, stdout, stderr, its socket to us, and the signalfd.
constexpr std::size_t idle_zygote_fds = 5;

/// State and parent of a process; '-' if there is none.
std::pair<char, pid_t> look_up(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return {'-', 0};
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  char state = '-';
  pid_t parent = 0;
  rest >> state >> parent;
  return {state, parent};
}

std::string read_all(int fd) {
  std::string out;
  char buffer[4096];
  for (;;) {
    const ssize_t size = ::read(fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(size));
  }
}

}  // namespace

Shared& shared() { return *shared_memory; }

void map_shared() {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  shared_memory = ::new (memory) Shared{};
  ::pthread_atfork(nullptr, nullptr, [] {
    if (shared().doomed_births == 0) return;
    --shared().doomed_births;
    std::_Exit(9);
  });
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      continue;
    }
    const pid_t pid = std::stoi(name);
    if (look_up(pid).second == parent) out.push_back(pid);
  }
  return out;
}

std::vector<pid_t> descendants_of(pid_t ancestor) {
  std::vector<pid_t> out;
  for (const pid_t child : children_of(ancestor)) {
    out.push_back(child);
    for (const pid_t grandchild : descendants_of(child)) out.push_back(grandchild);
  }
  return out;
}

std::size_t count_fds(pid_t pid) {
  const std::filesystem::directory_iterator fds("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
}

bool is_gone(pid_t pid) {
  const char state = look_up(pid).first;
  return state == '-' || state == 'Z' || state == 'X';
}

void PoolTest::SetUp() {
  const std::vector<pid_t> children = children_of(::getpid());
  ASSERT_EQ(children.size(), 1U) << "the zygote";
  zygote_ = children.front();
  fds_ = count_fds(::getpid());
  ASSERT_TRUE(eventually([&] { return count_fds(zygote_) == idle_zygote_fds; }));
  shared().runs = 0;
  shared().gate = 0;
  shared().at_gate = 0;
  shared().doomed_births = 0;
  for (auto& runs : shared().runs_by_number) runs = 0;
}

void PoolTest::TearDown() {
  // Our own side is clean the moment the pool is destroyed; the zygote learns of it by its socket.
  EXPECT_EQ(count_fds(::getpid()), fds_);
  EXPECT_EQ(children_of(::getpid()), std::vector<pid_t>{zygote_});
  EXPECT_EQ(children_of(zygote_), std::vector<pid_t>{});
  EXPECT_TRUE(eventually([&] { return count_fds(zygote_) == idle_zygote_fds; }));
}

pid_t start_role(const std::string& role, int out, int err) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  std::string program = "/proc/self/exe";
  std::string argument = "--role=" + role;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? pid : -1;
}

RoleResult run_role(const std::string& role) {
  int out[2];
  int err[2];
  RoleResult result;
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) return result;
  const UniqueFd out_end(out[0]);
  const UniqueFd err_end(err[0]);
  const pid_t pid = start_role(role, out[1], err[1]);
  ::close(out[1]);
  ::close(err[1]);
  if (pid < 0) return result;
  std::thread reader([&] { result.err = read_all(err_end.get()); });
  result.out = read_all(out_end.get());
  reader.join();
  ::waitpid(pid, &result.status, 0);
  return result;
}

Bytes echo(TaskContext&, std::string_view argument) { return Bytes(argument); }

Bytes own_pid(TaskContext&, std::string_view) { return std::to_string(::getpid()); }

Bytes count(TaskContext&, std::string_view argument) {
  ++shared().runs;
  ++shared().runs_by_number[std::stoul(std::string(argument))];
  return Bytes(argument);
}

Bytes wait_at_gate(TaskContext& context, std::string_view argument) {
  count(context, argument);
  context.add_progress(1);
  ++shared().at_gate;
  while (shared().gate == 0) ::usleep(100);  // bounded poll: the test opens it, or kills us
  return Bytes(argument);
}

Bytes spin(TaskContext& context, std::string_view) {
  context.position().store(7);
  context.add_progress(3);
  for (volatile bool forever = true; forever;) {
  }
  return {};
}

bool has_started(const ProcessPoolExecutor& pool, const Future<Bytes>& task) {
  return eventually([&] {
    const auto progress = pool.progress(task);
    return progress && progress->progress != 0;
  });
}

}  // namespace muster::test
