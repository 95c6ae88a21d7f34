#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cluster/coordinator/journal.hpp>

namespace muster::cluster {
namespace {

class JournalTest : public testing::Test {
 protected:
  static Journal::Job job(std::uint64_t ticket) {
    Journal::Job out;
    out.submission.ticket = ticket;
    out.submission.plan = "plan";
    out.state.name = "counting";
    out.staging = "/out/.hidden";
    return out;
  }

  TempDir directory{default_temp_parent()};
  std::filesystem::path file = directory.path() / "journal.db";
};

TEST_F(JournalTest, HasWhatWasCommittedAndNothingElse) {
  {
    Journal journal(file);
    EXPECT_EQ(journal.add(job(11)), 1U);
    journal.add_chunk(1, {0, 3, "1-7", 99, 2, "w", std::string("\0bytes", 6)});
    journal.add_line(1, 0, "it has begun");
    EXPECT_TRUE(journal.has_changes());
    journal.commit();
    journal.add(job(12));
    journal.add_chunk(1, {0, 4, "1-8", 99, 1, "w", "lost"});
  }
  Journal journal(file);
  EXPECT_EQ(journal.life(), 2U);
  const auto jobs = journal.open_jobs();
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].job, 1U);
  EXPECT_EQ(jobs[0].submission.plan, "plan");
  EXPECT_EQ(jobs[0].state.name, "counting");
  EXPECT_EQ(jobs[0].staging, "/out/.hidden");
  const auto chunks = journal.chunks(1);
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0].chunk, 3U);
  EXPECT_EQ(chunks[0].attempt, "1-7");
  EXPECT_EQ(chunks[0].instance, 99U);
  EXPECT_EQ(chunks[0].attempts, 2U);
  EXPECT_EQ(chunks[0].worker, "w");
  EXPECT_EQ(chunks[0].result, std::string("\0bytes", 6));
  EXPECT_EQ(journal.lines(1, 0, 10), std::vector<std::string>{"it has begun"});
  EXPECT_EQ(journal.line_count(1), 1U);
  EXPECT_EQ(journal.find_ticket(11), 1U);
  EXPECT_EQ(journal.find_ticket(12), std::nullopt);
}

TEST_F(JournalTest, KeepsTheStateOfWhatHasEnded) {
  Journal journal(file);
  wire::JobState state;
  state.job = journal.add(job(1));
  journal.add_chunk(1, {0, 0, "a", 0, 1, "w", ""});
  state.phase = wire::JobState::Phase::failed;
  state.message = "it had to be";
  journal.end(state);
  journal.commit();
  EXPECT_TRUE(journal.open_jobs().empty());
  EXPECT_TRUE(journal.chunks(1).empty());
  ASSERT_TRUE(journal.state(1).has_value());
  EXPECT_EQ(journal.state(1)->message, "it had to be");
  EXPECT_EQ(journal.state(2), std::nullopt);
  EXPECT_EQ(journal.states(10).size(), 1U);
}

TEST_F(JournalTest, AChunkThatRunsAgainReplacesWhatItWas) {
  Journal journal(file);
  journal.add(job(1));
  journal.add_chunk(1, {0, 0, "first", 1, 1, "w", "x"});
  journal.add_chunk(1, {0, 0, "second", 2, 2, "v", "y"});
  ASSERT_EQ(journal.chunks(1).size(), 1U);
  EXPECT_EQ(journal.chunks(1)[0].attempt, "second");
  journal.lose_chunk(1, 0, 0);
  ASSERT_EQ(journal.chunks(1).size(), 1U);
  EXPECT_EQ(journal.chunks(1)[0].instance, 0U);
  EXPECT_EQ(journal.chunks(1)[0].result, "y");
}

TEST_F(JournalTest, IsForOneCoordinatorAtATime) {
  const Journal journal(file);
  try {
    const Journal second(file);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(std::string(error.what()).find("is in use"), std::string::npos) << error.what();
  }
}

TEST_F(JournalTest, NamesTheFileThatIsDamaged) {
  {
    Journal journal(file);
    journal.add(job(1));
    journal.commit();
  }
  std::ofstream(file) << std::string(8192, 'x');
  try {
    const Journal again(file);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    EXPECT_NE(std::string(error.what()).find("journal.db"), std::string::npos) << error.what();
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST_F(JournalTest, IsNotReadByAnotherVersion) {
  { const Journal journal(file); }
  {
    constexpr std::streamoff user_version = 60;  // of the file format; big-endian
    std::fstream database(file, std::ios::in | std::ios::out | std::ios::binary);
    database.seekp(user_version);
    database.write("\0\0\0\x63", 4);
  }
  try {
    const Journal again(file);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(std::string(error.what()).find("is of version 99"), std::string::npos)
        << error.what();
  }
}

TEST_F(JournalTest, IsForItsOwnerAlone) {
  const Journal journal(file);
  const auto mode = std::filesystem::status(file).permissions();
  EXPECT_EQ(mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
            std::filesystem::perms::none);
}

}  // namespace
}  // namespace muster::cluster
