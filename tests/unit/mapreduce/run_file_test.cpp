#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/mapreduce/run_file.hpp>

#include "support/untouched_memory.hpp"

namespace muster::mapreduce {
namespace {

namespace fs = std::filesystem;

class RunFile : public ::testing::Test {
 protected:
  fs::path path() const { return scratch_.path() / "run"; }

  static std::vector<std::string> blocks(const fs::path& path, std::uint32_t partition) {
    RunReader reader(path, partition);
    std::vector<std::string> out;
    while (const auto block = reader.next()) out.emplace_back(*block);
    EXPECT_FALSE(reader.next());
    return out;
  }

  // Reads all partitions of a run file that was tampered with; true if that was noticed.
  bool is_refused(const std::string& bytes) const {
    write_file_synced(path(), bytes);
    try {
      for (std::uint32_t partition = 0; partition < 3; ++partition) blocks(path(), partition);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt) << error.what();
      EXPECT_NE(std::string(error.what()), "");
      return true;
    }
    return false;
  }

  std::string small_run() const {
    RunWriter writer(path());
    writer.write(2, "second", 2);
    writer.write(0, "first block", 1);
    writer.write(0, "x", 1);
    writer.finish();
    return read_file(path());
  }

 private:
  TempDir scratch_{default_temp_parent()};
};

TEST_F(RunFile, gives_each_partition_its_blocks_in_order) {
  Random random(2);
  std::map<std::uint32_t, std::vector<std::string>> expected;
  std::map<std::uint32_t, std::uint64_t> records;
  RunWriter writer(path());
  for (int i = 0; i < 500; ++i) {
    const auto partition = static_cast<std::uint32_t>(random.below(20) * 1000);
    std::string block(1 + random.below(2000), '\0');
    for (char& c : block) c = static_cast<char>(random.next());
    writer.write(partition, block, random.below(100));
    expected[partition].push_back(block);
  }
  writer.finish();
  EXPECT_EQ(writer.bytes(), fs::file_size(path()));
  for (std::uint32_t partition = 0; partition < 20000; partition += 500) {
    ASSERT_EQ(blocks(path(), partition), expected[partition]) << partition;
  }
}

TEST_F(RunFile, knows_the_records_of_a_partition_before_it_is_read) {
  small_run();
  EXPECT_EQ(RunReader(path(), 0).records(), 2U);
  EXPECT_EQ(RunReader(path(), 1).records(), 0U);
  EXPECT_EQ(RunReader(path(), 2).records(), 2U);
}

TEST_F(RunFile, may_be_without_blocks) {
  RunWriter writer(path());
  writer.finish();
  EXPECT_TRUE(blocks(path(), 0).empty());
}

TEST_F(RunFile, replaces_an_earlier_attempt) {
  write_file_synced(path(), std::string(100000, 'x'));
  small_run();
  EXPECT_EQ(blocks(path(), 2), std::vector<std::string>{"second"});
}

TEST_F(RunFile, that_was_not_finished_is_refused) {
  {
    RunWriter writer(path());
    writer.write(0, "block", 1);
  }
  EXPECT_TRUE(is_refused(read_file(path())));
}

TEST_F(RunFile, every_truncation_is_noticed) {
  const std::string whole = small_run();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(is_refused(whole.substr(0, size))) << size << " of " << whole.size();
  }
}

TEST_F(RunFile, every_damaged_byte_behind_the_magic_is_noticed) {
  const std::string whole = small_run();
  EXPECT_FALSE(is_refused(whole));
  for (std::size_t at = 8; at < whole.size(); ++at) {
    for (const int change : {0x01, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      EXPECT_TRUE(is_refused(damaged)) << at << " of " << whole.size();
    }
  }
}

TEST_F(RunFile, a_damaged_magic_is_noticed) {
  const std::string whole = small_run();
  for (std::size_t at = 0; at < 8; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_TRUE(is_refused(damaged)) << at;
  }
}

TEST_F(RunFile, bytes_put_in_or_behind_are_noticed) {
  const std::string whole = small_run();
  EXPECT_TRUE(is_refused(whole + '\0'));
  EXPECT_TRUE(is_refused('\0' + whole));
  EXPECT_TRUE(is_refused(whole.substr(0, 20) + 'x' + whole.substr(20)));
  EXPECT_TRUE(is_refused(std::string(200, '\0')));
  EXPECT_TRUE(is_refused(std::string(200, '\xff')));
}

TEST_F(RunFile, errors_name_the_file) {
  try {
    RunReader reader(path(), 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_NE(std::string(error.what()).find(path().string()), std::string::npos);
  }
  try {
    RunWriter writer("/dev/full");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::no_space);
  }
}

// What the reader would refuse as damaged must not be written in the first place.
TEST_F(RunFile, a_block_that_could_not_be_read_is_not_written) {
  const testing::UntouchedMemory memory((std::size_t{1} << 30U) + 1);
  RunWriter writer(path());
  try {
    writer.write(0, memory.text(), 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit);
  }
}

}  // namespace
}  // namespace muster::mapreduce
