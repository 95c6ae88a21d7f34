// Jobs on real coordinators and workers, which are broken on purpose. Each test counts its faults.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "cluster_jobs.hpp"
#include "support/proc.hpp"
#include "support/reference.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class Jobs : public ClusterJobs {};

TEST_F(Jobs, GiveTheSameBytesAsOnThisMachine) {
  start_coordinator();
  for (const char* name : {"a", "b", "c"}) start_worker(name);
  ASSERT_NE(await_line(coordinator(), "'c'"), "");
  write("text", skewed_text(3'000'000, 1));
  const std::vector<std::vector<std::string>> tasks = {
      {"run", "wordcount", "text", "--partitions", "7", "--chunk-size", "100K", "-q"},
      {"run", "grep", "text", "--set", "pattern=e", "--chunk-size", "70K", "-q"},
      {"run", "wordcount", "text", "-q"}};
  for (const auto& task : tasks) {
    const Finished here = muster(task);
    const Finished there = on_cluster(task);
    ASSERT_EQ(there.exit_code, 0) << there.text();
    EXPECT_GT(here.out.size(), 1000U);
    EXPECT_TRUE(here.out == there.out) << task[1];
  }
}

TEST_F(Jobs, GiveTheSameOutputDirectory) {
  start_coordinator();
  for (const char* name : {"a", "b"}) start_worker(name);
  write("text", skewed_text(1'000'000, 2));
  const std::vector<std::string> task{"run", "wordcount",    "text", "--partitions",
                                      "4",   "--chunk-size", "50K",  "-q"};
  auto to = [&](std::vector<std::string> arguments, const std::string& directory) {
    arguments.insert(arguments.end(), {"-o", directory});
    return arguments;
  };
  ASSERT_EQ(muster(to(task, "here")).exit_code, 0);
  const Finished there = on_cluster(to(task, "there"));
  ASSERT_EQ(there.exit_code, 0) << there.text();
  expect_same_files("here", "there", 5);  // four parts and the manifest
  const Finished again = on_cluster(to(task, "there"));
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_NE(muster({"run", "wordcount", "text", "--coordinator", address()})
                .err.find("for 2 slots of the cluster at " + address()),
            std::string::npos);
  EXPECT_NE(again.err.find("already exists"), std::string::npos) << again.text();
}

TEST_F(Jobs, TellHowFarAChunkIs) {
  start_coordinator({"--lease", "1s"});
  start_worker("a");
  std::string text;  // one chunk of many blocks: it is after each that a chunk tells
  for (int i = 0; i < 1500; ++i) text += fmt::format("BOOM {:04000}\n", i);
  write("lines", text);
  std::vector<std::string> task = slow({"-o", "out"});
  *std::find(task.begin(), task.end(), "100") = "100M";
  const std::string job = submit(task);
  EXPECT_TRUE(eventually([&] {
    const std::string told = status(job);
    return told.find("0/1 chunks, ") != std::string::npos &&
           told.find("0/1 chunks, 0 B") == std::string::npos;
  })) << status(job);
  EXPECT_EQ(on_cluster({"cancel", job}).exit_code, 0);
}

TEST_F(Jobs, SurviveTheirWorkers) {
  start_coordinator({"--lease", "1s"});
  for (const char* name : {"a", "b"}) start_worker(name);
  write_slow_lines(1200);
  const std::string job = submit(slow({"-o", "out"}));
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(has_done(job, 20 * (round + 1)));
    kill(workers().front(), SIGKILL);
    ++faults;
    workers().erase(workers().begin());
    start_worker("new" + std::to_string(round));
  }
  expect_success(job);
  EXPECT_EQ(result("out"), expected);
  EXPECT_EQ(faults, 3);
  EXPECT_GE(count(log(job), "has to be run again: what it had left is lost"), 20)
      << "what the dead had mapped was mapped again";
}

// Without its zygote a worker can make no task processes: it must not take chunks only to fail
// them.
TEST_F(Jobs, GoOnElsewhereWhenAWorkersZygoteDies) {
  start_coordinator();
  for (const char* name : {"a", "b"}) {
    ASSERT_NE(await_line(start_worker(name), "has joined"), "");
  }
  Running& ill = *workers().front();
  const std::vector<pid_t> children = test::children_of(ill.pid());
  ASSERT_EQ(children.size(), 1U) << "its zygote";
  write_slow_lines(800);
  const std::string job = submit(slow({"-o", "out"}));
  ASSERT_TRUE(has_done(job, 5));
  ASSERT_EQ(::kill(children.front(), SIGKILL), 0);
  ++faults;
  const Finished end = ill.wait();
  EXPECT_EQ(end.exit_code, 1) << end.text();
  EXPECT_NE(end.err.find("muster-zygote"), std::string::npos) << end.text();
  workers().erase(workers().begin());
  expect_success(job);
  EXPECT_EQ(result("out"), expected);
  EXPECT_EQ(faults, 1);
}

// It has not heard of anybody for longer than a lease then, which is nobody's fault but its own.
TEST_F(Jobs, SurviveAPauseOfTheirCoordinator) {
  start_coordinator({"--lease", "1s"});
  start_worker("a");
  write_slow_lines(600);
  Running client(command("muster", for_cluster(run_slow({"-q"}))));
  ASSERT_TRUE(has_done("1", 5));
  for (int i = 0; i < 3; ++i) {
    coordinator().send(SIGSTOP);
    ++faults;
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // slow on purpose: the pause
    coordinator().send(SIGCONT);
    ASSERT_NE(status("1"), "");
  }
  const Finished end = client.wait();
  EXPECT_EQ(end.exit_code, 0) << end.text() << log("1");
  EXPECT_EQ(faults, 3);
}

TEST_F(Jobs, MapAgainWhatHasVanishedFromAWorker) {
  start_coordinator();
  start_worker("a");
  write_slow_lines(400);
  const std::string job = submit(slow({"-o", "out"}));
  ASSERT_TRUE(has_done(job, 20));
  for (const auto& each : fs::recursive_directory_iterator(path("tmp"))) {
    if (faults < 40 && each.path().filename().string().starts_with("run-")) {
      fs::remove(each.path());
      ++faults;
    }
  }
  expect_success(job);
  EXPECT_EQ(result("out"), expected);
  EXPECT_GE(faults, 20) << "more than a chunk's budget for lost input";
  EXPECT_GE(count(log(job), "input_lost"), 1) << log(job);
  EXPECT_GE(count(log(job), "has to be run again"), faults);
}

TEST_F(Jobs, SurviveTheirCoordinator) {
  start_coordinator({"--lease", "2s"});
  for (const char* name : {"a", "b"}) start_worker(name);
  write_slow_lines(1200);
  const std::string job = submit(slow({"-o", "out"}));
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(has_done(job, 30 * (round + 1)));
    kill(coordinator_slot(), SIGKILL);
    ++faults;
    start_coordinator({"--lease", "2s"});
  }
  expect_success(job);
  EXPECT_EQ(result("out"), expected);
  EXPECT_EQ(faults, 2);
  const std::string told = log(job);
  EXPECT_EQ(count(told, "the coordinator was started again"), 2) << told;
  EXPECT_EQ(count(told, " 0 chunks have ended already"), 0) << told;
  EXPECT_EQ(count(told, "has to be run again"), 0) << "workers have kept what they had";
}

// Each life of a coordinator has other keys for workers to know each other by.
TEST_F(Jobs, SurviveTheirCoordinatorWithKeys) {
  make_keys();
  as_client = {"--keys", "desk"};
  start_coordinator({"--lease", "2s", "--keys", "head"});
  for (const char* name : {"a", "b"}) start_worker(name, {"--keys", "node"});
  write_slow_lines(600);
  const std::string job = submit(slow({"-o", "out"}));
  ASSERT_TRUE(has_done(job, 20));
  kill(coordinator_slot(), SIGKILL);
  ++faults;
  start_coordinator({"--lease", "2s", "--keys", "head"});
  expect_success(job);
  EXPECT_EQ(result("out"), expected);
  EXPECT_EQ(faults, 1);
  EXPECT_EQ(count(log(job), "failed"), 0) << log(job);
}

TEST_F(Jobs, GoOnWithAClientThatWaits) {
  start_coordinator({"--lease", "2s"});
  start_worker("a");
  write_slow_lines(600);
  Running client(command("muster", for_cluster(run_slow({"-q"}))));
  ASSERT_TRUE(has_done("1", 10));
  kill(coordinator_slot(), SIGKILL);
  ++faults;
  start_coordinator({"--lease", "2s"});
  const Finished end = client.wait();
  EXPECT_EQ(end.exit_code, 0) << end.text();
  EXPECT_EQ(end.out, expected);
  EXPECT_EQ(faults, 1);
}

// The coordinator ends at its n-th durable step, for every n until it no longer does: whatever it
// had said is true when it is started again, and the job is taken and done once. What was there
// before stays until it is replaced as a whole.
TEST_F(Jobs, SurviveAnEndAtEveryDurableStep) {
  write("old", "z\n");
  write("text", "a b\nb c\nc d\n");
  for (int step = 1; faults == step - 1; ++step) {
    ASSERT_LT(step, 200);
    const std::string number = std::to_string(step);
    const std::string out = "out" + number;
    ASSERT_EQ(muster({"run", "wordcount", "old", "-q", "-o", out}).exit_code, 0);
    break_coordinator({"LD_PRELOAD=" MUSTER_KILL_AT_SYNC, "KILL_AT_SYNC=" + number});
    start_coordinator({"--state", "state" + number});
    break_coordinator({});
    if (coordinator().ended()) start_coordinator({"--state", "state" + number}), ++faults;
    start_worker("w" + number);
    Running client(command("muster", {"run", "wordcount", "text", "--chunk-size", "4", "-q", "-o",
                                      out, "--overwrite", "--coordinator", address()}));
    ASSERT_TRUE(eventually([&] { return coordinator().ended() || client.ended(); }));
    if (coordinator().ended()) start_coordinator({"--state", "state" + number}), ++faults;
    const Finished end = client.wait();
    EXPECT_EQ(end.exit_code, 0) << "step " << step << ": " << end.text();
    EXPECT_EQ(result(out), "a\t1\nb\t2\nc\t2\nd\t1\n") << "step " << step;
    EXPECT_EQ(count(on_cluster({"jobs"}).out, "wordcount"), 1) << "step " << step;
    workers().clear();
    coordinator_slot().reset();
    forget_address();
  }
  EXPECT_GE(faults, 20);
}

// Map outputs are missing when the coordinator is started again, and once more before all of them
// have been made anew.
TEST_F(Jobs, SurviveTheLossOfWorkerAndCoordinatorTogether) {
  const std::vector<std::string> options{"--lease", "2s", "--recover-within", "1s"};
  start_coordinator(options);
  for (const char* name : {"a", "b"}) start_worker(name);
  write_slow_lines(1200);
  const std::string job = submit(slow({"-o", "out"}));
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(has_done(job, 30));
    kill(workers().front(), SIGKILL);
    kill(coordinator_slot(), SIGKILL);
    faults += 2;
    workers().erase(workers().begin());
    start_coordinator(options);
    start_worker("new" + std::to_string(round));
  }
  expect_success(job);
  EXPECT_EQ(result("out"), expected);
  EXPECT_EQ(faults, 6);
  const std::string told = log(job);
  EXPECT_EQ(count(told, "their workers did not come back"), 3) << told;
  EXPECT_EQ(count(told, "was submitted by"), 1) << "the log goes on where it was";
}

TEST_F(Jobs, ThatWaitForWorkersCanBeCancelled) {
  start_coordinator();
  start_worker("a");
  write_slow_lines(600);
  const std::string job = submit(slow({"-o", "out"}));
  ASSERT_TRUE(has_done(job, 10));
  kill(workers().front(), SIGKILL);
  kill(coordinator_slot(), SIGKILL);
  faults += 2;
  workers().clear();
  start_coordinator();
  EXPECT_NE(status(job).find("waiting"), std::string::npos) << status(job);
  EXPECT_NE(status(job).find("no worker takes anything"), std::string::npos) << status(job);
  EXPECT_EQ(on_cluster({"cancel", job}).exit_code, 0);
  EXPECT_NE(status(job).find("cancelled"), std::string::npos) << status(job);
  EXPECT_EQ(faults, 2);
}

TEST_F(Jobs, AreNotEndedWithThoseWhoOnlyWatch) {
  start_coordinator({"--lease", "600ms"});
  start_worker("a");
  write_slow_lines(1000);
  Running client(command("muster", for_cluster(run_slow({"-q"}))));
  ASSERT_TRUE(has_done("1", 1));
  Running follower(command("muster", {"logs", "1", "--follow", "--coordinator", address()}));
  ASSERT_NE(await_line(coordinator(), "'muster' of"), "");
  ASSERT_TRUE(has_done("1", 20));
  follower.send(SIGKILL);
  ++faults;
  const Finished end = client.wait();
  EXPECT_EQ(end.exit_code, 0) << end.text();
  EXPECT_EQ(end.out, expected);
  EXPECT_EQ(faults, 1);
}

TEST_F(Jobs, ThatCrashNameThePlace) {
  start_coordinator();
  for (const char* name : {"a", "b"}) start_worker(name);
  write("lines", "one\nBOOM\nthree\n");
  const Finished end = on_cluster({"run", std::string(MUSTER_TEST_PLUGINS) + "/faulty.so:faulty",
                                   "lines", "--set", "fault=segfault"});
  EXPECT_EQ(end.exit_code, 1) << end.text();
  EXPECT_NE(end.err.find("map chunk 1 of 1 ('lines' bytes 0 to 15) failed 3 times"),
            std::string::npos)
      << end.err;
  EXPECT_NE(end.err.find("signal 11"), std::string::npos) << end.err;
  EXPECT_EQ(count(log("1"), "failed, crashed"), 3);
  EXPECT_NE(status("1").find("failed"), std::string::npos);
}

TEST_F(Jobs, ThatThrowFailWithWhatWasThrown) {
  start_coordinator();
  start_worker("a");
  write("lines", "BOOM\n");
  const std::string task = std::string(MUSTER_TEST_PLUGINS) + "/faulty.so";
  const Finished end = on_cluster({"run", task + ":reduce_fault", "lines"});
  EXPECT_EQ(end.exit_code, 1) << end.text();
  EXPECT_NE(end.err.find("thrown in reduce"), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("on worker 'a'"), std::string::npos) << end.err;
}

TEST_F(Jobs, CanBeCancelled) {
  start_coordinator();
  start_worker("a");
  write_slow_lines(5000);
  const std::string job = submit(slow({"-o", "out"}));
  ASSERT_TRUE(has_done(job, 1));
  EXPECT_EQ(on_cluster({"cancel", job}).out, "job " + job + " is being cancelled\n");
  EXPECT_TRUE(eventually([&] { return status(job).find("cancelled") != std::string::npos; }));
  EXPECT_EQ(on_cluster({"cancel", job}).out, "job " + job + " has ended already: cancelled\n");
  EXPECT_EQ(status(job).find("no worker"), std::string::npos) << status(job);
  EXPECT_FALSE(fs::exists(path("out")));
  EXPECT_EQ(on_cluster({"run", "wordcount", "lines", "-q"}).exit_code, 0) << "the slot is free";
}

TEST_F(Jobs, OfAClientThatIsInterruptedOrKilledAreCancelled) {
  start_coordinator({"--lease", "600ms"});
  start_worker("a");
  write_slow_lines(5000);
  for (const int signal : {SIGINT, SIGKILL}) {
    Running client(command("muster", for_cluster(run_slow({"-q"}))));
    const std::string job = std::to_string(++faults);
    ASSERT_TRUE(has_done(job, 1));
    client.send(signal);
    const Finished end = client.wait();
    EXPECT_EQ(end.exit_code, signal == SIGINT ? 130 : -1) << end.text();
    EXPECT_TRUE(eventually([&] { return status(job).find("cancelled") != std::string::npos; }))
        << status(job);
  }
  EXPECT_EQ(faults, 2);
}

TEST_F(Jobs, ThatNoWorkerTakesSaySo) {
  start_coordinator();
  write("text", "a\n");
  Running client(command("muster", for_cluster({"run", "wordcount", "text"})));
  EXPECT_TRUE(eventually([&] {
    return client.err().find("no worker of " + address() + " takes anything") != std::string::npos;
  }));
  start_worker("late");
  const Finished end = client.wait();
  EXPECT_EQ(end.exit_code, 0) << end.text();
  EXPECT_EQ(end.out, "a\t1\n");
}

TEST_F(Jobs, AndWorkersAreListed) {
  start_coordinator();
  const Finished unwell = on_cluster({"doctor"});
  EXPECT_EQ(unwell.exit_code, 1);
  EXPECT_NE(unwell.out.find("there is no worker that takes anything"), std::string::npos);
  Running& worker = start_worker("only", {"--slots", "3"});
  EXPECT_NE(await_line(worker, "has joined"), "");
  EXPECT_EQ(on_cluster({"doctor"}).exit_code, 0);
  EXPECT_NE(on_cluster({"workers"}).out.find("only                      open          3"),
            std::string::npos);
  write("text", "a\n");
  const std::string job = submit({"wordcount", "text", "-o", "out"});
  expect_success(job);
  EXPECT_NE(on_cluster({"jobs"}).out.find("    1  succeeded  wordcount"), std::string::npos);
  for (const char* command : {"status", "logs", "cancel"}) {
    const Finished refused = on_cluster({command, "77"});
    EXPECT_EQ(refused.exit_code, 2) << command;
    EXPECT_NE(refused.err.find("there is no job 77"), std::string::npos) << refused.err;
  }
  EXPECT_EQ(on_cluster({"drain", "nobody"}).exit_code, 2);
  EXPECT_EQ(on_cluster({"drain", "only"}).exit_code, 0);
  EXPECT_EQ(worker.wait().exit_code, 0) << "it has left";
}

}  // namespace
}  // namespace muster::testing
