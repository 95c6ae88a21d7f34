// Output that cannot or must not be written.
#include <fmt/format.h>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

class BadOutput : public MusterTest {
 protected:
  void SetUp() override { write("text", "a b a\n"); }

  void expect_refused(const std::string& output, const std::vector<std::string>& options,
                      int exit_code, std::initializer_list<std::string_view> texts) const {
    const auto before = names_in(work());
    std::vector<std::string> all = {"run", "wordcount", "text", "-o", output};
    all.insert(all.end(), options.begin(), options.end());
    expect_error(muster(all), exit_code, texts);
    EXPECT_EQ(names_in(work()), before);
  }
};

TEST_F(BadOutput, AnExistingDirectoryIsLeftAlone) {
  expect_ok(muster({"run", "wordcount", "text", "-o", "out"}));
  const std::string before = read(path("out/_MANIFEST.json"));
  expect_refused("out", {}, 2, {"error: output '", "/out' already exists", "--overwrite"});
  expect_refused("out/", {}, 2, {"/out' already exists"});
  EXPECT_EQ(read(path("out/_MANIFEST.json")), before);
}

TEST_F(BadOutput, AnExistingFileIsLeftAlone) {
  write("file", "mine");
  expect_refused("file", {}, 2, {"/file' already exists"});
  expect_refused("file", {"--overwrite"}, 2, {"refusing to overwrite", "/file'"});
  EXPECT_EQ(read(path("file")), "mine");
}

TEST_F(BadOutput, OverwriteRefusesWhatIsNoOutput) {
  write("d/mine", "mine");
  expect_refused("d", {"--overwrite"}, 2,
                 {"refusing to overwrite", "/d'", "_MANIFEST.json is missing", "hint: "});
  expect_refused("d", {"--overwrite", "--dry-run"}, 2, {"refusing to overwrite"});
  EXPECT_EQ(read(path("d/mine")), "mine");
}

TEST_F(BadOutput, OverwriteRefusesALink) {
  expect_ok(muster({"run", "wordcount", "text", "-o", "out"}));
  output_of(shell("ln -s out link; ln -s nowhere broken"));
  expect_refused("link", {"--overwrite"}, 2, {"refusing to overwrite", "/link'"});
  expect_refused("broken", {}, 2, {"/broken' already exists"});
}

TEST_F(BadOutput, AMissingParentIsNamed) {
  expect_refused("no/such/out", {}, 2, {"cannot make output '", "no/such/out'", "No such file"});
  expect_refused("/proc/out", {}, 2, {"cannot make output '/proc/out'"});
  expect_refused("text/out", {}, 2, {"text/out'", "Not a directory"});
}

TEST_F(BadOutput, AnUnwritableTmpIsNamed) {
  expect_refused("out", {"--tmp", "no/such"}, 2,
                 {"cannot make a temporary directory in 'no/such'", "hint: ", "--tmp DIR"});
  expect_refused("out", {"--tmp", "/proc"}, 2, {"cannot make a temporary directory in '/proc'"});
  expect_refused("out", {"--tmp", "text"}, 2, {"'text'", "Not a directory"});
}

TEST_F(BadOutput, WhatAppearsUnderItsNameWhileTheJobRunsIsKept) {
  write("text", "BOOM\n");
  const std::vector<std::string> job = {"run",   plugin("faulty"), "-o",
                                        "out",   "--set",          "fault=make_output",
                                        "--set", "path=out",       "text"};
  expect_error(muster(job), 2, {"/out' has come to exist while the job ran", "nothing was"});
  EXPECT_EQ(read(path("out/mine")), "precious\n");
  EXPECT_EQ(names_in(work()), (std::vector<std::string>{"out", "text"}));
}

// --overwrite was given for what was there when the job started: nothing.
TEST_F(BadOutput, OverwriteKeepsAForeignDirectoryThatAppearsWhileTheJobRuns) {
  write("text", "BOOM\n");
  const Finished result = muster({"run", plugin("faulty"), "-o", "out", "--overwrite", "--set",
                                  "fault=make_output", "--set", "path=out", "text"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_EQ(names_in(path("out")), std::vector<std::string>{"mine"});
  EXPECT_EQ(names_in(work()), (std::vector<std::string>{"out", "text"}));
}

TEST_F(BadOutput, AFailedOverwriteKeepsTheEarlierOutput) {
  expect_ok(muster({"run", "wordcount", "text", "-o", "out"}));
  const std::string before = read(path("out/part-00000"));
  write("boom", "BOOM\n");
  expect_error(
      muster({"run", plugin("faulty"), "-o", "out", "--overwrite", "--set", "fault=throw", "boom"}),
      1, {"thrown on purpose"});
  EXPECT_EQ(read(path("out/part-00000")), before);
  EXPECT_EQ(names_in(work()), (std::vector<std::string>{"boom", "out", "text"}));
}

}  // namespace
}  // namespace muster::testing
