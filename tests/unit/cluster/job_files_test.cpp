// The files that jobs have: of one on a worker, and of an output while it is unfinished.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/cluster/worker/job_files.hpp>
#include <muster/mapreduce/output_directory.hpp>

#include "job_book_fixture.hpp"
#include "support/shared_memory.hpp"

namespace muster::cluster {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class JobFilesTest : public testing::Test {
 protected:
  fs::path make(const std::string& job) const {
    const fs::path directory = files.path() / job / "deep";
    fs::create_directories(directory);
    std::ofstream(directory / "run-1-1") << "x";
    return files.path() / job;
  }
  static bool goes(const fs::path& directory) {
    return test::eventually([&] { return !fs::exists(directory); });
  }

  TempDir scratch{default_temp_parent()};
  JobFiles files{scratch.path()};
};

TEST_F(JobFilesTest, OnlyThoseOfLiveJobsStay) {
  const fs::path ended = make("7");
  const fs::path live = make("17");
  const fs::path also_ended = make("170");
  files.keep_only({{17, 1}});
  EXPECT_TRUE(goes(ended));
  EXPECT_TRUE(goes(also_ended));
  EXPECT_TRUE(fs::exists(live / "deep" / "run-1-1"));
}

TEST_F(JobFilesTest, WhatIsWrittenAgainGoesAgain) {
  for (int i = 0; i < 20; ++i) {
    const fs::path ended = make("7");
    // As often as workers are told; also while the last removal is at work.
    EXPECT_TRUE(test::eventually([&] {
      files.keep_only({});
      return !fs::exists(ended);
    }));
  }
}

// Of a coordinator without its journal, which counts from 1 again.
TEST_F(JobFilesTest, AJobMayHaveTheNumberOfAnEndedOne) {
  for (int i = 0; i < 20; ++i) {
    for (int job = 1; job < 20; ++job) make(std::to_string(job));
    files.keep_only({});
    const fs::path again = make("19");
    files.keep_only({{19}});
    EXPECT_TRUE(test::eventually([&] {
      files.keep_only({{19}});
      return std::none_of(
          fs::directory_iterator(files.path()), fs::directory_iterator(),
          [&](const auto& each) { return each.is_directory() && each.path() != again; });
    }));
    EXPECT_TRUE(fs::exists(again / "deep" / "run-1-1"));
  }
}

TEST_F(JobFilesTest, AllGoWithTheirOwner) {
  fs::path where;
  {
    JobFiles others(scratch.path());
    where = others.path();
    for (int i = 0; i < 50; ++i) fs::create_directories(where / std::to_string(i));
    others.keep_only({});
  }
  EXPECT_FALSE(fs::exists(where));
}

class UnfinishedOutput : public JobBookFixture {
 protected:
  void SetUp() override {
    wire::SubmitJob asked = submission(ticket);
    asked.output = directory.path() / "out";
    ASSERT_FALSE(book->submit(now, client, "alice", std::move(asked)).is_refused);
    book->take_orders();
  }
  std::vector<fs::path> hidden() const {
    std::vector<fs::path> out;
    for (const auto& each : fs::directory_iterator(directory.path())) {
      if (each.path().filename().string().starts_with(".out.")) out.push_back(each.path());
    }
    return out;
  }
};

// Whoever calls the book keeps leases meanwhile.
TEST_F(UnfinishedOutput, IsRemovedByWhoDoesFileWork) {
  EXPECT_EQ(book->take_file_work().size(), 1U) << "what jobs before it have left";
  ASSERT_EQ(hidden().size(), 1U);
  book->on(now, scheduling::JobFinished{id, scheduling::Outcome::cancelled, {}});
  EXPECT_FALSE(book->has(id));
  EXPECT_EQ(hidden().size(), 1U);
  for (const JobBook::FileWork& each : book->take_file_work()) {
    EXPECT_FALSE(each.commits.has_value());
    each.run();
  }
  EXPECT_TRUE(hidden().empty());
}

TEST_F(UnfinishedOutput, IsRemovedAlsoIfNobodyDoesFileWorkAnyMore) {
  book->on(now, scheduling::JobFinished{id, scheduling::Outcome::cancelled, {}});
  auto work = book->take_file_work();
  book.reset();
  EXPECT_EQ(hidden().size(), 1U);
  work.clear();
  EXPECT_TRUE(hidden().empty());
}

// In the next life the job may go on: that its end is in the journal is not known.
TEST_F(UnfinishedOutput, StaysIfTheCoordinatorFailsAsTheJobEnds) {
  book->on(now, scheduling::JobFinished{id, scheduling::Outcome::cancelled, {}});
  book.reset();
  EXPECT_EQ(hidden().size(), 1U);
}

TEST_F(UnfinishedOutput, StaysForTheNextLifeIfTheJobHasNotEnded) {
  book.reset();
  EXPECT_EQ(hidden().size(), 1U);
}

TEST_F(UnfinishedOutput, OfAKilledJobIsRemovedWithTheNextOne) {
  const fs::path left = directory.path() / ".out.muster-abcdef";
  fs::create_directories(left);
  std::ofstream(left / mapreduce::staging_marker_name) << "";
  for (const JobBook::FileWork& each : book->take_file_work()) each.run();
  ASSERT_EQ(hidden().size(), 1U);
  EXPECT_NE(hidden().front(), left);
}

}  // namespace
}  // namespace muster::cluster
