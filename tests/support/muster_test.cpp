#include "support/muster_test.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/random.hpp>
#include <muster/base/temp_dir.hpp>

namespace muster::testing {

namespace fs = std::filesystem;

ScratchDirectory::ScratchDirectory() {
  std::string name = (fs::absolute(default_temp_parent()) / "integration-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + name);
  path_ = name;
  ::chmod(path_.c_str(), 0755);  // for tests that run the program as another user
  fs::create_directory(path_ / "work");
  fs::create_directory(path_ / "tmp");
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  for (fs::recursive_directory_iterator each(path_, ignored), end; !ignored && each != end;
       each.increment(ignored)) {
    if (each->is_directory() && !each->is_symlink()) ::chmod(each->path().c_str(), 0700);
  }
  fs::remove_all(path_, ignored);
}

std::string MusterTest::new_mark() {
  static int count = 0;
  return fmt::format("MUSTER_TEST_ID={}-{}", ::getpid(), ++count);
}

void MusterTest::TearDown() {
  const bool all_ended =
      eventually([this] { return processes_marked(mark_).empty(); }, std::chrono::seconds(5));
  if (!all_ended) {
    for (const auto& [pid, name] : processes_marked(mark_)) {
      ADD_FAILURE() << "process " << pid << " (" << name << ") was left behind";
      ::kill(pid, SIGKILL);
    }
  }
  EXPECT_EQ(names_in(tmp()), std::vector<std::string>()) << "temporary files were left behind";
}

std::string MusterTest::write(const std::string& name, std::string_view text) const {
  fs::create_directories(path(name).parent_path());
  std::ofstream out(path(name), std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path(name).string());
  return name;
}

std::string MusterTest::read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << "cannot read " << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

Command MusterTest::command(std::vector<std::string> arguments) const {
  Command out;
  out.arguments = {MUSTER_PROGRAM};
  out.arguments.insert(out.arguments.end(), arguments.begin(), arguments.end());
  out.directory = work();
  // A sanitizer must leave the deaths of test plugins as they are.
  const std::string deaths = "handle_segv=0:handle_abort=0:handle_sigbus=0";
  out.environment = {
      mark_,      "TMPDIR=" + tmp().string(), "ASAN_OPTIONS=" + deaths, "TSAN_OPTIONS=" + deaths,
      "LC_ALL=C", "MUSTER=" MUSTER_PROGRAM};
  return out;
}

Command MusterTest::shell(const std::string& script) const {
  Command out = command({});
  out.arguments = {"/bin/sh", "-c", script};
  return out;
}

std::string MusterTest::output_of(const Command& command) const {
  Finished result = run(command);
  EXPECT_EQ(result.exit_code, 0) << result.text();
  return std::move(result.out);
}

std::string MusterTest::plugin(const std::string& name) {
  return std::string(MUSTER_TEST_PLUGINS) + "/" + name + ".so";
}

fs::path MusterTest::installed_plugin(const std::string& name) {
  return fs::path(MUSTER_PLUGINS) / (name + ".so");
}

std::vector<std::string> MusterTest::names_in(const fs::path& directory) {
  std::vector<std::string> out;
  for (const auto& each : fs::directory_iterator(directory)) {
    out.push_back(each.path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<pid_t> MusterTest::task_processes() const {
  std::vector<pid_t> out;
  for (const auto& [pid, name] : processes_marked(mark_)) {
    if (name == "muster-task") out.push_back(pid);
  }
  return out;
}

bool MusterTest::runs_attempt(pid_t pid) {
  const auto files = open_files(pid);
  return std::any_of(files.begin(), files.end(), [](const std::string& each) {
    const std::string name = fs::path(each).filename().string();
    return name.starts_with("run-") || name.starts_with("attempt-");
  });
}

bool MusterTest::kill_task_at_work(Running& program, std::uint64_t seed) const {
  Random random(seed);
  while (!program.ended()) {
    const std::vector<pid_t> tasks = task_processes();
    if (tasks.empty()) continue;
    const pid_t victim = tasks[random.below(tasks.size())];
    // While it is stopped, what it has open says for sure whether a kill costs an attempt.
    ::kill(victim, SIGSTOP);
    const bool at_work = eventually(
                             [&] {
                               std::ifstream in(fmt::format("/proc/{}/stat", victim));
                               std::string stat;
                               std::getline(in, stat);  // empty if the process has gone
                               return stat.empty() || stat.find(") T ") != std::string::npos;
                             },
                             std::chrono::seconds(1)) &&
                         runs_attempt(victim);
    ::kill(victim, at_work ? SIGKILL : SIGCONT);
    if (at_work) return true;
  }
  return false;
}

void expect_error(const Finished& result, int exit_code,
                  std::initializer_list<std::string_view> texts) {
  EXPECT_EQ(result.exit_code, exit_code) << result.text();
  for (const std::string_view each : texts) {
    EXPECT_NE(result.err.find(each), std::string::npos) << "not on standard error: " << each << "\n"
                                                        << result.text();
  }
  EXPECT_EQ(result.out, "");
}

void expect_ok(const Finished& result) { EXPECT_EQ(result.exit_code, 0) << result.text(); }

}  // namespace muster::testing
