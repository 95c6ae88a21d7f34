#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/base/random.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/mapreduce/block_reader.hpp>
#include <muster/plugin/abi.h>

namespace muster::mapreduce {
namespace {

namespace fs = std::filesystem;
using plugin::RecordFormat;

constexpr std::uint64_t gibi = std::uint64_t{1} << 30U;

bool ends_record(char c, RecordFormat format) {
  return format == RecordFormat::lines ? c == '\n' : c == ' ' || (c >= 9 && c <= 13);
}

std::uint64_t newlines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

class BlockReading : public ::testing::Test {
 protected:
  fs::path write(const std::string& text, const char* name = "input") const {
    const fs::path path = scratch_.path() / name;
    write_file_synced(path, text);
    return path;
  }

  static InputRange range_of(const fs::path& path, const std::string& text, std::uint64_t offset,
                             std::uint64_t length) {
    return {path,   "named",     offset,
            length, text.size(), newlines(std::string_view(text).substr(0, offset))};
  }

  // Reads one chunk and checks each block against the text it must be a stretch of.
  static std::string read(const std::vector<InputRange>& ranges, const std::string& text,
                          RecordFormat format, bool line_numbers = true) {
    BlockReader reader(ranges, format, line_numbers, gibi);
    std::string out;
    while (const auto block = reader.next()) {
      EXPECT_FALSE(block->bytes.empty());
      EXPECT_EQ(text.compare(block->offset, block->bytes.size(), block->bytes), 0);
      const std::uint64_t end = block->offset + block->bytes.size();
      EXPECT_TRUE(end == text.size() || ends_record(block->bytes.back(), format)) << end;
      EXPECT_TRUE(block->offset == 0 || ends_record(text[block->offset - 1], format));
      const std::string_view before = std::string_view(text).substr(0, block->offset);
      EXPECT_EQ(block->first_line, line_numbers ? newlines(before) + 1 : 0U);
      EXPECT_EQ(describe_position(ranges, block->position),
                "'named', byte " + std::to_string(block->offset));
      touch_slack(block->bytes);
      out += block->bytes;
    }
    EXPECT_FALSE(reader.next()) << "the end stays the end";
    return out;
  }

  // What a SIMD load may do.
  static void touch_slack(std::string_view block) {
    volatile char last = 0;
    for (unsigned i = 0; i < MUSTER_BLOCK_SLACK; ++i) last = block.data()[block.size() + i];
    static_cast<void>(last);
  }

 private:
  TempDir scratch_{default_temp_parent()};
};

std::string random_text(Random& random) {
  std::string text(random.below(random.chance(0.1) ? 40000 : 200), '\0');
  const double delimiters = random.unit() * random.unit();
  constexpr std::string_view blanks = "\n\n\n \t\r\v\f";
  for (char& c : text) {
    c = random.chance(delimiters) ? blanks[random.below(blanks.size())]
                                  : static_cast<char>(random.below(256));
  }
  return text;
}

// The property that makes chunks right: however the file is cut, every record is read once.
TEST_F(BlockReading, all_cuts_of_a_file_give_the_file) {
  Random random(1);
  for (int round = 0; round < 400; ++round) {
    const std::string text = random_text(random);
    const fs::path path = write(text);
    for (const RecordFormat format : {RecordFormat::lines, RecordFormat::words}) {
      std::vector<std::uint64_t> cuts = {0, text.size()};
      for (std::uint64_t i = random.below(20); i > 0; --i) {
        cuts.push_back(random.below(text.size() + 1));
      }
      std::sort(cuts.begin(), cuts.end());
      cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
      std::string all;
      std::vector<InputRange> chunk;
      for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        chunk.push_back(range_of(path, text, cuts[i], cuts[i + 1] - cuts[i]));
        if (random.chance(0.3) && i + 2 < cuts.size()) continue;  // several ranges in one chunk
        all += read(chunk, text, format, format == RecordFormat::lines);
        chunk.clear();
      }
      ASSERT_EQ(all, text) << "round " << round;
    }
  }
}

TEST_F(BlockReading, line_numbers_are_right_for_words_too) {
  const std::string text = "one two three\nfour five\nsix";
  const fs::path path = write(text);
  for (std::uint64_t at = 0; at < text.size(); ++at) {
    read({range_of(path, text, at, text.size() - at)}, text, RecordFormat::words);
  }
}

TEST_F(BlockReading, single_byte_ranges_give_each_record_to_the_one_it_starts_in) {
  const std::string text = "ab\n\nc\nde";
  const fs::path path = write(text);
  const std::vector<std::string> expected = {"ab\n", "", "", "\n", "c\n", "", "de", ""};
  for (std::uint64_t at = 0; at < text.size(); ++at) {
    EXPECT_EQ(read({range_of(path, text, at, 1)}, text, RecordFormat::lines), expected[at]) << at;
  }
}

TEST_F(BlockReading, records_longer_than_ranges_and_blocks) {
  std::string text = std::string(700'000, 'x') + "\nshort\n" + std::string(1'500'000, 'y');
  for (const bool ended : {false, true}) {
    if (ended) text += '\n';
    const fs::path path = write(text);
    for (const std::uint64_t step : {100'000U, 262'144U, 700'001U, 3'000'000U}) {
      std::string all;
      for (std::uint64_t at = 0; at < text.size(); at += step) {
        const auto length = std::min<std::uint64_t>(step, text.size() - at);
        all += read({range_of(path, text, at, length)}, text, RecordFormat::lines);
      }
      ASSERT_TRUE(all == text) << step;
    }
  }
}

TEST_F(BlockReading, blocks_of_a_large_file_are_neither_tiny_nor_huge) {
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += "line " + std::to_string(i) + "\n";
  const fs::path path = write(text);
  const std::vector<InputRange> ranges = {range_of(path, text, 0, text.size())};
  BlockReader reader(ranges, RecordFormat::lines, false, gibi);
  std::size_t blocks = 0;
  std::uint64_t bytes = 0;
  while (const auto block = reader.next()) {
    ++blocks;
    bytes += block->bytes.size();
    EXPECT_LE(block->bytes.size(), 256U << 10U);
    EXPECT_EQ(block->first_line, 0U);
  }
  EXPECT_EQ(bytes, text.size());
  EXPECT_LE(blocks, 14U);
  EXPECT_GE(reader.bytes_read(), text.size());
}

TEST_F(BlockReading, several_files_in_a_chunk_do_not_run_together) {
  const std::string first = "a\nb";
  const std::string second = "c\nd";
  const std::vector<InputRange> ranges = {
      range_of(write(first, "1"), first, 0, first.size()),
      range_of(write(second, "2"), second, 0, second.size()),
  };
  BlockReader reader(ranges, RecordFormat::lines, true, gibi);
  auto block = reader.next();
  ASSERT_TRUE(block);
  EXPECT_EQ(block->bytes, "a\nb");
  EXPECT_EQ(block->range, &ranges[0]);
  block = reader.next();
  ASSERT_TRUE(block);
  EXPECT_EQ(block->bytes, "c\nd");
  EXPECT_EQ(block->range, &ranges[1]);
  EXPECT_EQ(block->offset, 0U);
  EXPECT_EQ(block->position, 3U);
  EXPECT_EQ(block->first_line, 1U);
  EXPECT_FALSE(reader.next());
}

Error failure(const std::vector<InputRange>& ranges, std::uint64_t record_bytes_max = gibi) {
  try {
    BlockReader reader(ranges, RecordFormat::lines, false, record_bytes_max);
    while (reader.next()) continue;
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::broken, "nothing was thrown");
}

TEST_F(BlockReading, a_file_that_became_shorter_is_refused) {
  std::string text(600'000, 'x');
  for (std::size_t i = 0; i < text.size(); i += 50) text[i] = '\n';
  for (const off_t size : {off_t{0}, off_t{1}, off_t{300'000}, off_t{599'999}}) {
    const fs::path path = write(text);
    const std::vector<InputRange> ranges = {range_of(path, text, 0, text.size())};
    ASSERT_EQ(::truncate(path.c_str(), size), 0);
    const Error error = failure(ranges);
    EXPECT_EQ(error.code(), ErrorCode::input_changed) << size;
    EXPECT_NE(std::string(error.what()).find("'named'"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("600000"), std::string::npos) << error.what();
    EXPECT_THROW(count_lines(ranges[0], [](std::uint64_t) {}), Error);
  }
}

TEST_F(BlockReading, a_file_that_grows_is_read_as_far_as_planned) {
  const std::string text = "one\ntwo\nthr";
  const fs::path path = write(text + "ee\nfour\n");
  EXPECT_EQ(read({range_of(path, text, 0, text.size())}, text, RecordFormat::lines), text);
  EXPECT_EQ(read({range_of(path, text, 9, 2)}, text, RecordFormat::lines), "");
}

TEST_F(BlockReading, a_file_that_went_away_is_an_io_error) {
  const std::string text = "x\n";
  const fs::path path = write(text);
  const std::vector<InputRange> ranges = {range_of(path, text, 0, 2)};
  fs::remove(path);
  EXPECT_EQ(failure(ranges).code(), ErrorCode::io);
}

TEST_F(BlockReading, a_record_above_the_limit_is_refused_with_its_place) {
  const std::string text = "short\n" + std::string(2'000'000, 'x') + "\n";
  const fs::path path = write(text);
  const std::vector<InputRange> ranges = {range_of(path, text, 0, text.size())};
  const Error error = failure(ranges, 500'000);
  EXPECT_EQ(error.code(), ErrorCode::limit);
  EXPECT_NE(std::string(error.what()).find("byte 6 "), std::string::npos) << error.what();
  EXPECT_EQ(failure(ranges, 3'000'000).code(), ErrorCode::broken) << "stands for: taken";
}

TEST_F(BlockReading, count_lines_counts_the_newlines_of_a_range) {
  Random random(3);
  std::string text(700'000, 'x');
  for (char& c : text) c = random.chance(0.02) ? '\n' : 'x';
  const fs::path path = write(text);
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t offset = random.below(text.size());
    const std::uint64_t length = random.below(text.size() - offset + 1);
    std::uint64_t told = 0;
    const auto progress = [&](std::uint64_t bytes) { told += bytes; };
    ASSERT_EQ(count_lines(range_of(path, text, offset, length), progress),
              newlines(std::string_view(text).substr(offset, length)));
    ASSERT_EQ(told, length);
  }
}

TEST(InputRanges, round_trip_and_refuse_every_prefix) {
  const std::vector<InputRange> ranges = {{"/a b\n", "name", 1, 2, 3, 4},
                                          {"", "", 0, UINT64_MAX, UINT64_MAX, 0}};
  Bytes bytes;
  encode(bytes, ranges);
  ByteReader in(bytes);
  const auto back = decode_input_ranges(in);
  in.finish();
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].path, "/a b\n");
  EXPECT_EQ(back[0].lines_before, 4U);
  EXPECT_EQ(back[1].length, UINT64_MAX);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader part(std::string_view(bytes).substr(0, size));
    EXPECT_THROW(decode_input_ranges(part), Error) << size;
  }
}

TEST(DescribePosition, names_the_file_and_byte) {
  const std::vector<InputRange> ranges = {{"/a", "a", 100, 10, 200, 0}, {"/b", "b", 0, 5, 5, 0}};
  EXPECT_EQ(describe_position(ranges, 0), "'a', byte 100");
  EXPECT_EQ(describe_position(ranges, 9), "'a', byte 109");
  EXPECT_EQ(describe_position(ranges, 10), "'b', byte 0");
  EXPECT_EQ(describe_position(ranges, 15), "the end of the chunk");
  EXPECT_EQ(describe_position({}, 0), "the end of the chunk");
}

}  // namespace
}  // namespace muster::mapreduce
