#include "cluster_of_programs.hpp"

#include <algorithm>
#include <csignal>
#include <iostream>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace muster::testing {
namespace {

constexpr std::chrono::milliseconds whole_test = std::chrono::minutes(5);

void limit(Command& command, const std::string& by) {
  command.arguments.insert(command.arguments.begin(),
                           {"/bin/sh", "-c", by + "; exec \"$0\" \"$@\""});
}

}  // namespace

Command ClusterOfPrograms::command(const std::string& program, Options options) const {
  Command out;
  options.insert(options.begin(), std::string(MUSTER_BIN) + "/" + program);
  out.arguments = std::move(options);
  out.environment = {"MUSTER_TEST_MARK=" + directory_.path().string(),
                     "TSAN_OPTIONS=suppressions=" MUSTER_TSAN_SUPPRESSIONS,
                     "TMPDIR=" + path("tmp").string(), "XDG_STATE_HOME=" + path("state").string(),
                     "XDG_CACHE_HOME=" + path("cache").string()};
  out.directory = directory_.path();
  out.timeout = whole_test;
  return out;
}

Finished ClusterOfPrograms::muster(std::vector<std::string> arguments) const {
  return run(command("muster", std::move(arguments)));
}

void ClusterOfPrograms::make_keys() const {
  const auto expect_ok = [&](const std::vector<std::string>& arguments) {
    const Finished end = muster(arguments);
    EXPECT_EQ(end.exit_code, 0) << end.text();
  };
  expect_ok({"keys", "init", "--keys", "head"});
  const auto add = [&](const std::string& role, const std::string& place, const std::string& name) {
    expect_ok({"keys", "init", role, "--keys", place});
    std::filesystem::copy_file(path("head/coordinator.pub"), path(place) / "coordinator.pub");
    expect_ok({"keys", "authorize", place + "/" + role + ".pub", "--role", role, "--name", name,
               "--keys", "head"});
  };
  add("worker", "node", "node1");
  add("client", "desk", "alice");
}

std::string ClusterOfPrograms::await_line(Running& program, const std::string& text) {
  std::string line;
  eventually([&] {
    const std::string log = program.err();
    const auto at = log.find(text);
    if (at == std::string::npos) return program.ended();
    const auto begin = log.rfind('\n', at) + 1;
    const auto end = log.find('\n', at);
    if (end == std::string::npos) return false;
    line = log.substr(begin, end - begin);
    return true;
  });
  return line;
}

Running& ClusterOfPrograms::start_coordinator(const Options& options) {
  Options all = options;
  all.insert(all.begin(), {"--bind", address_.empty() ? "tcp://127.0.0.1:*" : address_});
  Command start = command("muster-coordinator", std::move(all));
  start.environment.insert(start.environment.end(), coordinator_environment_.begin(),
                           coordinator_environment_.end());
  if (open_files_max_) limit(start, fmt::format("ulimit -n {}", *open_files_max_));
  coordinator_ = std::make_unique<Running>(start);
  const std::string line = await_line(*coordinator_, "listening at ");
  const auto at = line.find("tcp://");
  if (!coordinator_environment_.empty() && at == std::string::npos) return *coordinator_;
  EXPECT_NE(at, std::string::npos) << coordinator_->err();
  if (at != std::string::npos) address_ = line.substr(at, line.find(',', at) - at);
  return *coordinator_;
}

Running& ClusterOfPrograms::start_worker(const std::string& name, const Options& options) {
  Options all = options;
  all.insert(all.begin(),
             {"--coordinator", address_, "--name", name, "--env", test::shared_memory_variable()});
  if (std::find(all.begin(), all.end(), "--slots") == all.end())
    all.insert(all.end(), {"--slots", "1"});
  Command start = command("muster-worker", std::move(all));
  if (address_space_max_) limit(start, fmt::format("ulimit -v {}", *address_space_max_));
  workers_.push_back(std::make_unique<Running>(start));
  return *workers_.back();
}

void ClusterOfPrograms::kill(std::unique_ptr<Running>& program, int signal) {
  program->send(signal);
  EXPECT_TRUE(eventually([&] { return program->ended(); })) << program->err();
  dead_.push_back(std::move(program));
}

void ClusterOfPrograms::TearDown() {
  test::shared().gate = 1;
  if (HasFailure()) {
    if (coordinator_ != nullptr) std::cerr << "--- coordinator\n" << coordinator_->err();
    for (const auto& each : workers_) {
      if (each != nullptr) std::cerr << "--- worker\n" << each->err();
    }
    for (const auto& each : dead_) std::cerr << "--- one that was ended\n" << each->err();
  }
  workers_.clear();
  coordinator_.reset();
  dead_.clear();
  const std::string mark = "MUSTER_TEST_MARK=" + directory_.path().string();
  EXPECT_TRUE(eventually([&] { return processes_marked(mark).empty(); }))
      << processes_marked(mark).size() << " processes are left";
}

}  // namespace muster::testing
