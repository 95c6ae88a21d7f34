// What task processes are kept from by the sandbox of their worker. Each attempt is also made
// without one, where it succeeds: so it is the sandbox that keeps them.
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>
#include <muster/sandbox/kernel_support.hpp>

#include "cluster_of_programs.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Before main: the program's own code runs as early as this.
const int no_new_privs_before_main = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);

// What tasks do; each returns an errno, 0 for success.

int error_of(bool succeeded) { return succeeded ? 0 : errno; }

int read_of(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  char byte = 0;
  return error_of(fd && ::read(fd.get(), &byte, 1) == 1);
}

int open_to_read(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  return error_of(fd.get() >= 0);
}

int write_to(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  return error_of(fd && ::write(fd.get(), "x", 1) == 1);
}

int write_to_temp(const std::string& name) {
  return write_to(std::string(std::getenv("TMPDIR")) + "/" + name);
}

int read_by_link(const std::string& file) {
  const std::string link = std::string(std::getenv("TMPDIR")) + "/link";
  return ::symlink(file.c_str(), link.c_str()) == 0 ? read_of(link) : errno;
}

int read_by_program(const std::string& file) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/usr/bin/cmp", "cmp", "-s", file.c_str(), file.c_str(), nullptr);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EACCES;
}

int remove_file(const std::string& file) { return error_of(::unlink(file.c_str()) == 0); }

int truncate_file(const std::string& file) { return error_of(::truncate(file.c_str(), 1) == 0); }

int signal_to(int pid, int signal) { return error_of(::kill(pid, signal) == 0); }

#if !defined(MUSTER_SANITIZED)  // there ptrace is left to the sanitizers
int trace_me() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(error_of(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0));
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}
#endif

/// Reads the memory of this process, or of another one, at the place of this one's.
int read_memory_of(int pid) {
  static int from = 1;
  int to = 0;
  const iovec here{&to, sizeof(to)};
  const iovec there{&from, sizeof(from)};
  const pid_t whose = pid == 0 ? ::getpid() : pid;
  return error_of(::process_vm_readv(whose, &here, 1, &there, 1, 0) == sizeof(to));
}

int mount_at(const std::string& place) {
  return error_of(::mount("sandbox", place.c_str(), "tmpfs", 0, nullptr) == 0);
}

int leave_namespace() {
  const pid_t child = ::fork();
  // Not of users: the thread sanitizer's own thread would be in its way.
  if (child == 0) ::_exit(error_of(::unshare(CLONE_NEWUTS) == 0));
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

int listen_on_tcp() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return error_of(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
                      0 &&
                  ::listen(fd.get(), 1) == 0);
}

int connect_to_tcp(int port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return error_of(
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

/// A socket of that abstract name.
template <class Use>
int with_abstract(const std::string& name, Use use) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return use(fd.get(), reinterpret_cast<const sockaddr*>(&address), size);
}

int connect_to_abstract(const std::string& name) {
  return with_abstract(name, [](int fd, const sockaddr* address, socklen_t size) {
    return error_of(::connect(fd, address, size) == 0);
  });
}

bool may_dump_core() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max != 0;
}

int crash() { std::abort(); }

int forty_two() { return 42; }

class Sandbox : public ClusterOfPrograms {
 protected:
  void SetUp() override {
    ClusterOfPrograms::SetUp();
    if (sandbox::probe_kernel().landlock_abi < sandbox::landlock_abi_wanted)
      GTEST_SKIP() << "this kernel's Landlock lacks something";
    make_keys();
    std::ofstream(path("beside")) << "readable";
    start_coordinator({"--keys", "head"});
  }

  /// Runs calls on a worker with these options, which is gone afterwards.
  void on_worker(Options options, const std::function<void(ClusterExecutor&)>& calls) {
    options.insert(options.end(), {"--keys", "node"});
    worker_ = &start_worker("w", options);
    {
      ClusterExecutor cluster(address(), {.keys = path("desk")});
      calls(cluster);
      EXPECT_EQ(cluster.submit(forty_two).result(60s), 42) << "the worker goes on";
    }
    kill(workers().back(), SIGTERM);
    workers().pop_back();
  }
  /// The worker, while it lives.
  const Running& worker() const { return *worker_; }

  /// The call gives `denied` in the sandbox, and 0 without one.
  template <class F, class... A>
  void expect_denied(int denied, F function, A... arguments) {
    on_worker({"--sandbox", "require"}, [&](ClusterExecutor& cluster) {
      EXPECT_EQ(cluster.submit(function, arguments...).result(60s), denied);
    });
    on_worker({"--sandbox", "off"}, [&](ClusterExecutor& cluster) {
      EXPECT_EQ(cluster.submit(function, arguments...).result(60s), 0) << "without a sandbox";
    });
  }
  std::string name(const char* file) const { return path(file).string(); }

 private:
  Running* worker_ = nullptr;
};

TEST_F(Sandbox, SecretKeysAreNotRead) {
  expect_denied(EACCES, read_of, name("node/worker.key"));
  expect_denied(EACCES, read_by_program, name("node/worker.key"));
  on_worker({}, [&](ClusterExecutor& cluster) {
    const auto agent = fmt::format("/proc/{}", worker().pid());
    EXPECT_EQ(cluster.submit(read_by_link, name("node/worker.key")).result(60s), EACCES);
    EXPECT_EQ(cluster.submit(read_of, name("node/coordinator.pub")).result(60s), EACCES);
    EXPECT_EQ(cluster.submit(read_of, agent + "/root" + name("node/worker.key")).result(60s),
              EACCES);
    EXPECT_EQ(cluster.submit(open_to_read, agent + "/mem").result(60s), EACCES);
    EXPECT_EQ(cluster.submit(read_of, name("beside")).result(60s), 0) << "all else can be read";
    EXPECT_EQ(cluster.submit(read_of, name("head/coordinator.pub")).result(60s), 0);
  });
}

TEST_F(Sandbox, TheDoctorTellsOfIt) {
  const auto expect_told = [&](const std::string& text) {
    const Finished end =
        muster({"doctor", "--coordinator", address(), "--keys", path("desk").string()});
    EXPECT_EQ(end.exit_code, 0) << end.text();
    EXPECT_NE(end.out.find("sandbox of w: " + text), std::string::npos) << end.text();
  };
  on_worker({}, [&](ClusterExecutor& cluster) {
    EXPECT_EQ(cluster.submit(forty_two).result(60s), 42) << "now it has joined";
    expect_told("no_new_privs, landlock (ABI ");
  });
  on_worker({"--sandbox", "off"}, [&](ClusterExecutor& cluster) {
    EXPECT_EQ(cluster.submit(forty_two).result(60s), 42) << "now it has joined";
    expect_told("off\n");
  });
}

TEST_F(Sandbox, WhatIsToBeHiddenIsHidden) {
  on_worker({"--sandbox-hide", "beside"}, [&](ClusterExecutor& cluster) {
    EXPECT_EQ(cluster.submit(read_of, name("beside")).result(60s), EACCES);
  });
}

TEST_F(Sandbox, NothingIsWrittenOutside) {
  expect_denied(EACCES, write_to, name("new"));
  expect_denied(EACCES, truncate_file, name("beside"));
  expect_denied(EACCES, remove_file, name("beside"));
}

TEST_F(Sandbox, TemporaryFilesAreWrittenAndGoWithTheProgram) {
  on_worker({}, [&](ClusterExecutor& cluster) {
    EXPECT_EQ(cluster.submit(write_to_temp, "file").result(60s), 0);
    const std::string temp =
        cluster.submit([] { return std::string(std::getenv("TMPDIR")); }).result(60s);
    EXPECT_EQ(temp.rfind(name("tmp"), 0), 0U) << temp;
    EXPECT_TRUE(fs::exists(temp + "/file"));
    EXPECT_EQ(cluster.submit(write_to, temp + "/../beside").result(60s), EACCES);
    EXPECT_EQ(cluster.submit(write_to, "/dev/null").result(60s), 0);
  });
}

TEST_F(Sandbox, WhatIsToBeWrittenIsWritten) {
  fs::create_directory(path("results"));
  on_worker({"--sandbox-write", "results"}, [&](ClusterExecutor& cluster) {
    EXPECT_EQ(cluster.submit(write_to, name("results/new")).result(60s), 0);
    EXPECT_EQ(cluster.submit(write_to, name("new")).result(60s), EACCES);
  });
  Running& contradicts = start_worker("c", {"--keys", "node", "--sandbox-write", "."});
  const Finished end = contradicts.wait();
  EXPECT_EQ(end.exit_code, 2) << end.text();
  EXPECT_NE(end.err.find("must not see"), std::string::npos) << end.text();
}

TEST_F(Sandbox, TheWorkerIsNotSignalled) {
  on_worker({"--sandbox", "require"}, [&](ClusterExecutor& cluster) {
    EXPECT_EQ(cluster.submit(signal_to, worker().pid(), SIGKILL).result(60s), EPERM);
    EXPECT_EQ(cluster.submit(signal_to, ::getpid(), SIGTERM).result(60s), EPERM) << "a stranger";
  });
  on_worker({"--sandbox", "off"}, [&](ClusterExecutor& cluster) {
    EXPECT_EQ(cluster.submit(signal_to, worker().pid(), 0).result(60s), 0);
    const auto memory = fmt::format("/proc/{}/mem", worker().pid());
    EXPECT_EQ(cluster.submit(open_to_read, memory).result(60s), 0);
  });
}

TEST_F(Sandbox, NoMemoryOfOthersIsRead) {
#if !defined(MUSTER_SANITIZED)
  expect_denied(EPERM, trace_me);
#endif
  expect_denied(EPERM, read_memory_of, 0);
}

TEST_F(Sandbox, NothingIsMounted) {
  fs::create_directory(path("mounts"));
  if (::mount("probe", name("mounts").c_str(), "tmpfs", 0, nullptr) != 0)
    GTEST_SKIP() << "no file system can be mounted here";
  ::umount2(name("mounts").c_str(), MNT_DETACH);
  expect_denied(EPERM, mount_at, name("mounts"));
  EXPECT_EQ(::umount2(name("mounts").c_str(), MNT_DETACH), 0) << "that was mounted without";
  expect_denied(EPERM, leave_namespace);
}

TEST_F(Sandbox, NoTcpPortIsOpened) {
  expect_denied(EACCES, listen_on_tcp);
  const int port = std::stoi(address().substr(address().rfind(':') + 1));
  on_worker({}, [&](ClusterExecutor& cluster) {
    EXPECT_EQ(cluster.submit(connect_to_tcp, port).result(60s), 0);
  });
}

TEST_F(Sandbox, AbstractSocketsOfOthersAreOutOfReach) {
  const std::string here = "muster-sandbox-" + std::to_string(::getpid());
  with_abstract(here, [&](int fd, const sockaddr* address, socklen_t size) {
    EXPECT_EQ(::bind(fd, address, size), 0);
    EXPECT_EQ(::listen(fd, 8), 0);
    expect_denied(EPERM, connect_to_abstract, here);
    return 0;
  });
}

TEST_F(Sandbox, ACrashLeavesNoCore) {
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  if (limit.rlim_max == 0) GTEST_SKIP() << "core files are forbidden here anyway";
  on_worker({}, [&](ClusterExecutor& cluster) {
    EXPECT_FALSE(cluster.submit(may_dump_core).result(60s));
    EXPECT_THROW(cluster.submit(crash).result(60s), WorkerDiedError);
  });
  on_worker({"--sandbox", "off"}, [&](ClusterExecutor& cluster) {
    EXPECT_TRUE(cluster.submit(may_dump_core).result(60s));
  });
}

TEST_F(Sandbox, IsThereBeforeAnyCodeOfTheProgram) {
  const auto before_main = [] { return no_new_privs_before_main; };
  on_worker(
      {}, [&](ClusterExecutor& cluster) { EXPECT_EQ(cluster.submit(before_main).result(60s), 1); });
  on_worker({"--sandbox", "off"}, [&](ClusterExecutor& cluster) {
    EXPECT_EQ(cluster.submit(before_main).result(60s), 0);
  });
}

class SandboxOfPlugins : public Sandbox {
 protected:
  void SetUp() override {
    Sandbox::SetUp();
    std::ofstream(path("lines")) << "BOOM\n";
    std::ofstream(path("victim")) << std::string(1'000'000, 'x');
  }
  Finished run_fault(const std::string& fault, const std::string& file, const Options& more = {}) {
    Options arguments{"run",
                      MUSTER_TEST_PLUGINS "/faulty.so:faulty",
                      "lines",
                      "--set",
                      "fault=" + fault,
                      "--set",
                      "path=" + file,
                      "-q",
                      "--coordinator",
                      address(),
                      "--keys",
                      "desk"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return muster(std::move(arguments));
  }
  /// The job fails with this text in the sandbox, and succeeds without one.
  void expect_fails(const std::string& fault, const std::string& file, const std::string& text) {
    start_worker("w", {"--keys", "node", "--sandbox", "require"});
    const Finished confined = run_fault(fault, file);
    EXPECT_EQ(confined.exit_code, 1) << confined.text();
    EXPECT_NE(confined.err.find(text), std::string::npos) << confined.text();
    const Finished next = run_fault("none", file);
    EXPECT_EQ(next.exit_code, 0) << next.text();
    EXPECT_EQ(next.out, "BOOM\t1\n");
    kill(workers().front(), SIGTERM);
    workers().clear();
    start_worker("free", {"--keys", "node", "--sandbox", "off"});
    const Finished free = run_fault(fault, file);
    EXPECT_EQ(free.exit_code, 0) << free.text();
    EXPECT_EQ(free.out, "BOOM\t1\n");
  }
};

TEST_F(SandboxOfPlugins, KeepsThemFromKeys) {
  expect_fails("read", name("node/worker.key"), "cannot read");
}

TEST_F(SandboxOfPlugins, KeepsThemFromWriting) {
  expect_fails("truncate", name("victim"), "cannot truncate");
}

TEST_F(SandboxOfPlugins, IsThereBeforeThePluginIsLoaded) {
  start_worker("w", {"--keys", "node"});
  const Finished confined = run_fault("loaded_free", "");
  EXPECT_EQ(confined.exit_code, 0) << confined.text();
  kill(workers().front(), SIGTERM);
  workers().clear();
  start_worker("free", {"--keys", "node", "--sandbox", "off"});
  const Finished free = run_fault("loaded_free", "");
  EXPECT_EQ(free.exit_code, 1) << free.text();
  EXPECT_NE(free.err.find("loaded without a sandbox"), std::string::npos) << free.text();
}

// Nor in the next call, which the same process would have got.
TEST_F(SandboxOfPlugins, NothingRunsWhereItCouldNotBeEntered) {
  fs::create_directories(path("way/hidden"));
  std::ofstream(path("way/hidden/secret")) << "secret\n";
  start_worker("w", {"--keys", "node", "--slots", "1", "--sandbox", "require", "--sandbox-hide",
                     name("way/hidden")});
  ASSERT_NE(await_line(coordinator(), "worker 'w' of "), "");
  fs::rename(path("way"), path("away"));
  const Finished nowhere = run_fault("none", "");
  EXPECT_EQ(nowhere.exit_code, 1) << nowhere.text();
  EXPECT_NE(nowhere.err.find("cannot enter its sandbox"), std::string::npos) << nowhere.text();
  fs::rename(path("away"), path("way"));
  const Finished confined = run_fault("loaded_free", "");
  EXPECT_EQ(confined.exit_code, 0) << confined.text();
  const Finished hidden = run_fault("read", name("way/hidden/secret"));
  EXPECT_EQ(hidden.exit_code, 1) << hidden.text();
  EXPECT_NE(hidden.err.find("cannot read"), std::string::npos) << hidden.text();
}

// Each is written by processes that may write there and nowhere else.
TEST_F(SandboxOfPlugins, LetsJobsWriteTheirOutputs) {
  start_worker("w", {"--keys", "node", "--sandbox", "require"});
  for (const char* each : {"out1", "out2"}) {
    const Finished end = run_fault("none", "", {"-o", each, "--partitions", "3"});
    EXPECT_EQ(end.exit_code, 0) << end.text();
    EXPECT_TRUE(fs::exists(path(each)));
  }
}

class SandboxThatCannotBe : public ClusterOfPrograms {
 protected:
  Running& start_without_landlock(const Options& more) {
    Options options{"--coordinator", address(), "--name", "w", "--keys", "node"};
    options.insert(options.end(), more.begin(), more.end());
    Command start = command("muster-worker", std::move(options));
    start.arguments.insert(start.arguments.begin(), MUSTER_WITHOUT_LANDLOCK);
    workers().push_back(std::make_unique<Running>(start));
    return *workers().back();
  }
};

TEST_F(SandboxThatCannotBe, IsSaidAndTheRestIsEnforced) {
  make_keys();
  start_coordinator({"--keys", "head"});
  Running& worker =
      start_without_landlock({"--slots", "1", "--env", test::shared_memory_variable()});
  const std::string line = await_line(worker, "sandbox: ");
  EXPECT_NE(line.find("no_new_privs, seccomp; not enforced: landlock (this kernel has none"),
            std::string::npos)
      << line;
  EXPECT_NE(line.find("tasks can read the worker's keys"), std::string::npos) << line;
  ClusterExecutor cluster(address(), {.keys = path("desk")});
  EXPECT_EQ(cluster.submit(read_memory_of, 0).result(60s), EPERM) << "what seccomp does";
  EXPECT_EQ(cluster.submit(read_of, path("node/worker.key").string()).result(60s), 0);
}

TEST_F(SandboxThatCannotBe, IsRefusedIfItIsRequired) {
  make_keys();
  start_coordinator({"--keys", "head"});
  const Finished end = start_without_landlock({"--sandbox", "require"}).wait();
  EXPECT_EQ(end.exit_code, 2) << end.text();
  EXPECT_NE(end.err.find("does not enforce: landlock (this kernel has none"), std::string::npos)
      << end.text();
  EXPECT_NE(end.err.find("--sandbox best-effort"), std::string::npos) << end.text();
  const Finished odd = run(command("muster-worker", {"-c", address(), "--sandbox", "on"}));
  EXPECT_EQ(odd.exit_code, 2) << odd.text();
  EXPECT_NE(odd.err.find("best-effort or require"), std::string::npos) << odd.text();
}

}  // namespace
}  // namespace muster::testing
