#include "cluster_command.hpp"

#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>

#include <unistd.h>

namespace muster::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::shared;

int count_and_wait(int number) {
  ++shared().runs_by_number[number];
  ++shared().runs;
  ::usleep(5000);  // slow on purpose: so that there is something to interrupt
  return number;
}

std::string text_of(const fs::path& file) {
  const std::ifstream in(file);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

Finished ClusterCommand::cluster(Options arguments) const {
  arguments.insert(arguments.begin(), "cluster");
  Command all = command("muster", std::move(arguments));
  all.environment.insert(all.environment.end(), environment.begin(), environment.end());
  return run(all);
}

Finished ClusterCommand::up(Options arguments) const {
  arguments.insert(arguments.begin(),
                   {"up", "--slots", "1", "--env", test::shared_memory_variable()});
  return cluster(std::move(arguments));
}

std::string ClusterCommand::address_of(const Finished& up) const {
  EXPECT_EQ(up.exit_code, 0) << up.text();
  EXPECT_TRUE(up.out.starts_with("tcp://")) << up.text();
  return up.out.substr(0, up.out.find('\n'));
}

void ClusterCommand::expect_down(const std::string& name) {
  const Finished end = cluster({"down", name});
  EXPECT_EQ(end.exit_code, 0) << end.text();
  EXPECT_FALSE(fs::exists(of_cluster(name)));
}

bool ClusterCommand::status_says(const std::string& text) const {
  std::string last;
  const bool ok = eventually([&] {
    last = cluster({"status"}).out;
    return last.find(text) != std::string::npos;
  });
  EXPECT_TRUE(ok) << "no '" << text << "' in\n" << last;
  return ok;
}

void ClusterCommand::expect_refused(const Finished& end, int exit_code,
                                    const std::string& text) const {
  EXPECT_EQ(end.exit_code, exit_code) << end.text();
  EXPECT_NE(end.err.find(text), std::string::npos) << end.text();
  EXPECT_NE(end.err.find("hint:"), std::string::npos) << end.text();
  EXPECT_EQ(end.out, "");
  EXPECT_EQ(cluster({"status"}).out, "no cluster is up\n");
}

std::vector<pid_t> ClusterCommand::processes(const std::string& name) const {
  std::vector<pid_t> out;
  const std::string mark = "MUSTER_TEST_MARK=" + path("").parent_path().string();
  for (const auto& [pid, comm] : processes_marked(mark)) {
    // The kernel keeps 15 bytes of a name.
    if (comm == name.substr(0, 15)) out.push_back(pid);
  }
  return out;
}

std::string ClusterCommand::keeper_log() const { return text_of(of_cluster() / "keeper.log"); }

std::vector<Future<int>> ClusterCommand::submit_all(ClusterExecutor& executor) {
  std::vector<Future<int>> out;
  for (int i = 0; i < call_count; ++i) out.push_back(executor.submit(count_and_wait, i));
  return out;
}

void ClusterCommand::expect_all(const std::vector<Future<int>>& futures) {
  for (int i = 0; i < call_count; ++i)
    ASSERT_EQ(futures[static_cast<std::size_t>(i)].result(60s), i);
}

bool ClusterCommand::have_run(std::uint64_t runs) {
  return eventually([runs] { return shared().runs >= runs; });
}

void ClusterCommand::TearDown() {
  if (HasFailure()) {
    std::error_code none;
    for (fs::recursive_directory_iterator each(path("state"), none), end; !none && each != end;
         each.increment(none)) {
      if (each->path().extension() == ".log")
        std::cerr << "--- " << each->path().string() << "\n" << text_of(each->path());
    }
  }
  if (fs::exists(of_cluster())) cluster({"down", "--grace", "1s"});
  ClusterJobs::TearDown();
}

}  // namespace muster::testing
