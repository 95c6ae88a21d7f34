#include <cerrno>
#include <csignal>
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/executors/processes/task_host.hpp>

#include "support/proc.hpp"
#include "support/shared_memory.hpp"

namespace muster::detail {
namespace {

std::string trouble_of(const TaskHost::Command& command) {
  try {
    const TaskHost host(command);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(TaskHost, SaysWhyThereIsNoProgram) {
  EXPECT_NE(trouble_of({"/nowhere", "p", {}}).find("/nowhere: No such file"), std::string::npos);
  EXPECT_NE(trouble_of({"/etc/passwd", "p", {}}).find("/etc/passwd: Permission"),
            std::string::npos);
}

TEST(TaskHost, SaysWhatItsSetupCouldNotDo) {
  const auto setup = [] { return HostSetupFailure{"nothing can be locked", EPERM}; };
  const std::string text = trouble_of({"/bin/true", "p", {}, setup});
  EXPECT_NE(text.find("/bin/true: nothing can be locked: Operation not permitted"),
            std::string::npos)
      << text;
  EXPECT_EQ(trouble_of({"/bin/true", "p", {}, [] { return HostSetupFailure(); }}), "");
}

// Long before the program comes to init(), which asks for the same.
TEST(TaskHost, DiesWithItsParent) {
  test::reset_shared();
  const pid_t parent = ::fork();
  if (parent == 0) {
    const TaskHost host({"/bin/true", "p", {}, [] {
                           test::shared().runs = static_cast<std::uint64_t>(::getpid());
                           for (;;) ::pause();
                           return HostSetupFailure();
                         }});
    ::_exit(0);
  }
  ASSERT_TRUE(test::eventually([] { return test::shared().runs != 0; }));
  const auto host = static_cast<pid_t>(test::shared().runs.load());
  EXPECT_FALSE(test::is_gone(host));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(test::eventually([&] { return test::is_gone(host); }));
}

}  // namespace
}  // namespace muster::detail
