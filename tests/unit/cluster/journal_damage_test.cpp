// Journals that are damaged: either all that was acknowledged is there, or they are refused.
#include <cstddef>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cluster/coordinator/journal.hpp>

namespace muster::cluster {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t chunks = 25;
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t wal_header_bytes = 32;
constexpr std::size_t frame_bytes = page_bytes + 24;

/// The files of a journal.
struct Files {
  std::string database;
  std::optional<std::string> wal;
  std::optional<std::string> mark;
};

class JournalDamageTest : public testing::Test {
 protected:
  JournalDamageTest() { fs::create_directory(file.parent_path()); }

  static Journal::Job job(std::uint64_t ticket) {
    Journal::Job out;
    out.submission.ticket = ticket;
    out.submission.plan = std::string(500, static_cast<char>('a' + ticket));
    out.state.name = fmt::format("job of ticket {}", ticket);
    out.staging = fmt::format("/out/.hidden-{}", ticket);
    return out;
  }
  /// Two jobs that have not ended, and one that has; a commit each, and one for each chunk.
  static void fill(Journal& journal) {
    for (const std::uint64_t ticket : {1U, 2U, 3U}) {
      journal.add(job(ticket));
      journal.commit();
    }
    auto ended = journal.state(3).value();
    ended.phase = wire::JobState::Phase::succeeded;
    journal.end(ended);
    for (std::uint32_t i = 0; i < chunks; ++i) add_chunk(journal, i);
  }
  static void add_chunk(Journal& journal, std::uint32_t chunk) {
    journal.add_chunk(1 + chunk % 2, {0, chunk, fmt::format("1-{}", chunk), 99, 1, "w", "result"});
    journal.add_line(1, chunk, fmt::format("chunk {} has ended", chunk));
    journal.commit();
  }
  /// All that must not get lost.
  static std::vector<std::string> content(Journal& journal) {
    std::vector<std::string> out;
    for (const auto& each : journal.states(100))
      out.push_back(fmt::format("{} {} {}", each.job, each.name, static_cast<int>(each.phase)));
    for (const auto& each : journal.open_jobs()) {
      out.push_back(fmt::format("{} {} {} {}", each.job, each.submission.ticket,
                                each.submission.plan, each.staging));
      for (const auto& chunk : journal.chunks(each.job))
        out.push_back(fmt::format("{} {} {} {} {}", chunk.stage, chunk.chunk, chunk.attempt,
                                  chunk.attempts, chunk.result));
    }
    return out;
  }

  fs::path beside(const char* what) const { return file.native() + what; }
  Files files() const {
    const auto read = [](const fs::path& path) {
      return fs::exists(path) ? std::optional(read_file(path)) : std::nullopt;
    };
    return {read_file(file), read(beside("-wal")), read(beside("-mark"))};
  }
  void put(const Files& files) const {
    fs::remove_all(file.parent_path());
    fs::create_directory(file.parent_path());
    const auto write = [](const fs::path& path, const std::string& bytes) {
      std::ofstream(path, std::ios::binary) << bytes;
    };
    write(file, files.database);
    if (files.wal) write(beside("-wal"), *files.wal);
    if (files.mark) write(beside("-mark"), *files.mark);
  }
  /// What a journal that was closed has left.
  Files closed() {
    {
      Journal journal(file);
      fill(journal);
      whole = content(journal);
    }
    return files();
  }
  /// What one has left whose coordinator was killed.
  Files killed() {
    Journal journal(file);
    fill(journal);
    whole = content(journal);
    return files();
  }

  /// Opens these files. True if they have all; false if they are refused, as they should be.
  bool is_whole(const Files& files) {
    put(files);
    try {
      Journal journal(file);
      EXPECT_EQ(content(journal), whole);
      ++recovered;
      return true;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("journal.db"), std::string::npos) << error.what();
      EXPECT_FALSE(error.hint().empty()) << error.what();
      ++refused;
      return false;
    }
  }
  void expect_refused(const Files& files, const std::string& text) {
    put(files);
    try {
      const Journal journal(file);
      ADD_FAILURE() << "no error: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt) << error.what();
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
      EXPECT_NE(error.hint(), "") << error.what();
      ++refused;
    }
  }
  static std::string flipped(std::string bytes, std::size_t at) {
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
    return bytes;
  }

  TempDir directory{default_temp_parent()};
  fs::path file = directory.path() / "state" / "journal.db";
  std::vector<std::string> whole;
  int refused = 0;
  int recovered = 0;
};

TEST_F(JournalDamageTest, BitsThatAreFlippedLoseNothing) {
  const Files good = closed();
  ASSERT_FALSE(good.wal) << "all is in the database";
  EXPECT_TRUE(is_whole(good));
  constexpr std::size_t header_bytes = 100;
  constexpr std::size_t step = 163;
  int flips = 0;
  for (std::size_t at = 0; at < good.database.size(); at += at < header_bytes ? 3 : step) {
    Files bad = good;
    bad.database = flipped(good.database, at);
    is_whole(bad);
    ++flips;
  }
  EXPECT_EQ(refused + recovered, 1 + flips);
  RecordProperty("refused", refused);
  EXPECT_GE(refused, 20);
  EXPECT_GE(flips, 150);
}

TEST_F(JournalDamageTest, FilesThatAreCutShortAreRefused) {
  const Files good = closed();
  for (std::size_t size = 0; size < good.database.size(); size += page_bytes / 2) {
    Files bad = good;
    bad.database.resize(size);
    expect_refused(bad, "journal.db");
  }
  EXPECT_EQ(refused, static_cast<int>(good.database.size() / page_bytes * 2));
  Files none = good;
  none.database.clear();
  expect_refused(none, "it is empty");
  put(good);
  fs::remove(file);
  EXPECT_THROW(Journal{file}, Error) << "it is missing, and its mark is there";
  EXPECT_FALSE(fs::exists(file)) << "it is not made anew";
}

TEST_F(JournalDamageTest, IsNotWhatIsNoFile) {
  fs::create_directory(file);
  try {
    const Journal journal(file);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_NE(std::string(error.what()).find("is not a file"), std::string::npos) << error.what();
    EXPECT_NE(error.hint(), "");
  }
}

TEST_F(JournalDamageTest, WhatAKilledOneHadAcknowledgedIsThere) {
  const Files good = killed();
  ASSERT_TRUE(good.wal);
  ASSERT_GT(good.wal->size(), chunks * frame_bytes);
  EXPECT_TRUE(is_whole(good));
  // What it was about to write, and had written in part.
  for (const std::size_t size : {1UL, 24UL, 2000UL, frame_bytes, 3 * frame_bytes}) {
    Files torn = good;
    *torn.wal += std::string(size, '\x5a');
    EXPECT_TRUE(is_whole(torn)) << size;
    Files doubled = good;
    *doubled.wal += good.wal->substr(wal_header_bytes, size);
    EXPECT_TRUE(is_whole(doubled)) << size;
  }
  EXPECT_EQ(recovered, 11);
  EXPECT_EQ(refused, 0);
}

// The coordinator is killed in the midst of a commit: it had acknowledged all before.
TEST_F(JournalDamageTest, ACommitThatIsTornIsAsIfItHadNotBeen) {
  Files good;
  std::size_t before = 0;
  {
    Journal journal(file);
    fill(journal);
    whole = content(journal);
    good = files();
    before = good.wal->size();
    add_chunk(journal, chunks);
    good.wal = files().wal;
  }
  ASSERT_GE(good.wal->size(), before + 2 * frame_bytes);
  for (std::size_t size = before; size < good.wal->size(); size += 1000) {
    Files torn = good;
    torn.wal->resize(size);
    EXPECT_TRUE(is_whole(torn)) << size;
  }
  EXPECT_GE(recovered, 8);
  EXPECT_EQ(refused, 0);
}

TEST_F(JournalDamageTest, OfALogIsRefused) {
  const Files good = killed();
  for (std::size_t at = 0; at < good.wal->size(); at += 4001) {
    Files bad = good;
    bad.wal = flipped(*good.wal, at);
    is_whole(bad);
    Files cut = good;
    cut.wal->resize(at);
    expect_refused(cut, at < wal_header_bytes ? "" : "what was written last is missing");
  }
  EXPECT_EQ(recovered, 0) << "each frame counts";
  EXPECT_GE(refused, 100);
  Files without = good;
  without.wal.reset();
  put(without);
  EXPECT_THROW(Journal{file}, Error);
}

TEST_F(JournalDamageTest, OfAMarkIsRefusedAndWithoutOneNothingIsMissed) {
  const Files good = killed();
  for (std::size_t at = 0; at < good.mark->size(); ++at) {
    Files bad = good;
    bad.mark = flipped(*good.mark, at);
    expect_refused(bad, "journal.db-mark");
  }
  EXPECT_EQ(refused, 16);
  Files without = good;
  without.mark.reset();
  EXPECT_TRUE(is_whole(without));
  Files lost = good;  // with the power: it is not synced
  lost.mark->assign(lost.mark->size(), '\0');
  EXPECT_TRUE(is_whole(lost));
}

// What was refused stays as it is: somebody may still want to look at it, or put a part back.
TEST_F(JournalDamageTest, ThatIsRefusedIsNotTouched) {
  const Files good = killed();
  Files bad = good;
  bad.wal = flipped(*good.wal, good.wal->size() / 2);
  expect_refused(bad, "what was written last is missing");
  EXPECT_TRUE(files().database == bad.database);
  EXPECT_TRUE(files().wal == bad.wal);
  EXPECT_TRUE(is_whole(good));
}

}  // namespace
}  // namespace muster::cluster
