// Tasks that fail while they run: each costs its job, with a message that says where, or nothing.
#include <regex>

#include <fmt/format.h>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

class FaultyTask : public MusterTest {
 protected:
  void SetUp() override { write("text", "good\nfine\nBOOM here\ngood\n"); }

  Finished run_fault(const std::string& fault, std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"run", plugin("faulty"), "--set", "fault=" + fault, "text"};
    all.insert(all.end(), more.begin(), more.end());
    return muster(all);
  }

  void expect_fails(const std::string& fault, std::initializer_list<std::string_view> texts) const {
    expect_error(run_fault(fault, {"-o", "out"}), 1, texts);
    expect_error(run_fault(fault), 1, texts);
    EXPECT_EQ(names_in(work()), std::vector<std::string>{"text"});
  }
};

TEST_F(FaultyTask, AnExceptionNamesTheRecord) {
  expect_fails("throw", {"map chunk 1 of 1 ('text' bytes 0 to 25)", "task 'faulty' threw",
                         "std::runtime_error: thrown on purpose", "at 'text', byte 10"});
}

TEST_F(FaultyTask, AnythingMayBeThrown) {
  expect_fails("throw_int", {"task 'faulty' threw int", "at 'text', byte 10"});
}

TEST_F(FaultyTask, ACrashNamesTheRecordAndTheSignal) {
  expect_fails("segfault", {"map chunk 1 of 1 ('text' bytes 0 to 25) failed 3 times",
                            "was killed by signal 11 (SIGSEGV)", "at 'text', byte 10"});
  expect_fails("abort",
               {"failed 3 times", "was killed by signal 6 (SIGABRT)", "at 'text', byte 10"});
}

TEST_F(FaultyTask, ACrashInASecondFileAndALaterChunkNamesThem) {
  write("text", "good\n");
  write("second", "fine\nfine\nfine\nBOOM\nfine\n");
  expect_error(run_fault("segfault", {"second", "--chunk-size", "9", "-o", "out"}), 1,
               {"('second' bytes", "at 'second', byte 15"});
  expect_error(run_fault("throw", {"second", "--chunk-size", "100", "-o", "out"}), 1,
               {"at 'second', byte 15"});
}

TEST_F(FaultyTask, ASilentExitIsACrash) {
  expect_fails("exit", {"failed 3 times", "exited with code 0 while it ran task"});
}

// Of several chunks that fail at about the same time, the one that is named is the one described.
TEST_F(FaultyTask, TheReportIsOfOneFailure) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "BOOM 678901\n";  // 12 bytes, so each is a chunk
  write("booms", text);
  for (int round = 0; round < 10; ++round) {
    const Finished result = muster({"run", "-q", plugin("faulty"), "--set", "fault=throw", "-j",
                                    "8", "--chunk-size", "12", "booms"});
    EXPECT_EQ(result.exit_code, 1);
    std::smatch found;
    ASSERT_TRUE(std::regex_search(result.err, found,
                                  std::regex("bytes ([0-9]+) to [0-9]+\\)[^\n]*, byte ([0-9]+)")))
        << result.err;
    EXPECT_EQ(found[1], found[2]) << result.err;
  }
}

TEST_F(FaultyTask, AThrowInReduceNamesThePartition) {
  expect_error(muster({"run", plugin("faulty") + ":reduce_fault", "text", "-o", "out"}), 1,
               {"reduce of partition 1 of 1", "task 'reduce_fault' threw", "thrown in reduce"});
  EXPECT_EQ(names_in(work()), std::vector<std::string>{"text"});
}

#ifndef MUSTER_SANITIZED  // sanitizers reserve more address space than the limit; CMake says so
TEST_F(FaultyTask, EndlessAllocationIsReportedAsSuch) {
  expect_error(run(shell(fmt::format("ulimit -v 1500000; exec \"$MUSTER\" run '{}' --memory 64M "
                                     "--set fault=allocate text -o out",
                                     plugin("faulty")))),
               1, {"task 'faulty' ran out of memory"});
  EXPECT_EQ(names_in(work()), std::vector<std::string>{"text"});
}
#endif

TEST_F(FaultyTask, WhatItPrintsNeverReachesTheResult) {
  const Finished result = run_fault("print", {"-q"});
  expect_ok(result);
  EXPECT_EQ(result.out, "BOOM here\t1\nfine\t1\ngood\t2\n");
  for (const char* each :
       {"rubbish by printf\n", "rubbish by cout\n", "rubbish by write\n", "a word on stderr\n"}) {
    EXPECT_NE(result.err.find(each), std::string::npos) << each;
  }
}

TEST_F(FaultyTask, AChunkThatCrashesOnceIsRunAgain) {
  const Finished result = run_fault("crash_once", {"--set", "path=" + path("mark").string()});
  expect_ok(result);
  EXPECT_EQ(result.out, "BOOM here\t1\nfine\t1\ngood\t2\n");
  EXPECT_NE(result.err.find("1 retry"), std::string::npos) << result.text();
}

TEST_F(FaultyTask, OthersWorkIsNotLostWithIt) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += fmt::format("line {}\n", i % 10);
  write("text", text + "BOOM 1\nBOOM 2\nBOOM 3\nBOOM 4\n");
  const Finished result = run_fault("crash_once", {"--set", "path=" + path("mark").string(), "-j",
                                                   "4", "--chunk-size", "7", "--json"});
  expect_ok(result);
  EXPECT_NE(result.out.find("line 3\t20\n"), std::string::npos) << result.text();
  EXPECT_NE(result.out.find("BOOM 4\t1\n"), std::string::npos) << result.text();
  EXPECT_NE(result.err.find("\"retries_by_cause\":{\"crashed\":4}"), std::string::npos)
      << result.text();
}

}  // namespace
}  // namespace muster::testing
