#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <muster/base/checksum.hpp>
#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/mapreduce/part_file.hpp>

#include "support/untouched_memory.hpp"

namespace muster::mapreduce {
namespace {

namespace fs = std::filesystem;

struct Line {
  std::string key;
  std::string value;
  std::string text() const { return key + "\t" + value + "\n"; }
};

class PartFile : public ::testing::Test {
 protected:
  fs::path path(std::size_t part) const { return scratch_.path() / std::to_string(part); }

  // Writes a sorted part, at most `lines_max` lines a block.
  fs::path part(std::size_t number, const std::vector<Line>& lines, std::size_t lines_max = 7) {
    PartWriter writer(path(number), PartFormat::framed, false);
    for (std::size_t at = 0; at < lines.size();) {
      std::string text;
      std::vector<muster_line_extent> extents;
      for (; at < lines.size() && extents.size() < lines_max; ++at) {
        text += lines[at].text();
        extents.push_back({static_cast<std::uint32_t>(lines[at].key.size()),
                           static_cast<std::uint32_t>(lines[at].text().size())});
      }
      writer.write(text, extents.data(), extents.size());
    }
    writer.finish();
    return path(number);
  }

  static std::string merged(const std::vector<fs::path>& parts) {
    std::string out;
    merge_parts(parts, [&](std::string_view piece) { out += piece; });
    return out;
  }

 private:
  TempDir scratch_{default_temp_parent()};
};

// Keys that are prefixes of each other, hold bytes below the tab, and may be empty.
std::vector<Line> random_lines(Random& random, std::size_t count) {
  std::vector<std::string> keys;
  while (keys.size() < count) {
    std::string key(random.below(12), '\0');
    constexpr std::string_view bytes("\0\1\x08\t a\x7f\x80\xff", 9);
    for (char& c : key) c = bytes[random.below(bytes.size())];
    keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::vector<Line> lines;
  for (const auto& key : keys) lines.push_back({key, std::to_string(random.below(1000))});
  return lines;
}

TEST_F(PartFile, text_is_written_as_it_is_and_added_up) {
  const std::string first = "a\t1\nb\t2\n";
  const std::string second = "c\t3\n";
  for (const bool lasting : {false, true}) {
    PartWriter writer(path(0), PartFormat::text, lasting);
    writer.write(first, nullptr, 2);
    writer.write(second, nullptr, 1);
    const PartTotals totals = writer.finish();
    EXPECT_EQ(read_file(path(0)), first + second);
    EXPECT_EQ(totals.records, 3U);
    EXPECT_EQ(totals.bytes, 12U);
    EXPECT_EQ(totals.checksum, checksum(first + second));
  }
}

TEST_F(PartFile, of_nothing_is_empty) {
  for (const PartFormat format : {PartFormat::text, PartFormat::framed}) {
    PartWriter writer(path(0), format, false);
    writer.write("", nullptr, 0);
    const PartTotals totals = writer.finish();
    EXPECT_EQ(totals.records, 0U);
    EXPECT_EQ(totals.bytes, 0U);
    EXPECT_EQ(totals.checksum, checksum(""));
    EXPECT_EQ(merged({path(0)}), "");
  }
}

TEST_F(PartFile, text_of_no_lines_is_refused) {
  PartWriter writer(path(0), PartFormat::text, false);
  EXPECT_THROW(writer.write("lost", nullptr, 0), Error);
  writer.write("", nullptr, 0);
  EXPECT_EQ(writer.finish().records, 0U);
}

TEST_F(PartFile, a_full_disk_is_reported_as_such) {
  PartWriter writer("/dev/full", PartFormat::text, false);
  try {
    writer.write("x\n", nullptr, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::no_space);
  }
}

TEST_F(PartFile, merging_agrees_with_sorting) {
  Random random(11);
  for (int round = 0; round < 60; ++round) {
    std::vector<Line> all = random_lines(random, 1 + random.below(3000));
    const std::size_t parts = 1 + random.below(12);
    std::vector<std::vector<Line>> split(parts);
    for (const Line& line : all) split[random.below(parts)].push_back(line);
    std::vector<fs::path> paths;
    for (std::size_t i = 0; i < parts; ++i) {
      paths.push_back(part(i, split[i], 1 + random.below(50)));
    }
    std::string expected;
    for (const Line& line : all) expected += line.text();  // they are sorted already
    ASSERT_EQ(merged(paths), expected) << "round " << round;
  }
}

TEST_F(PartFile, merging_orders_by_key_not_by_line) {
  const auto a = part(0, {{"a", "2"}, {"a b", "3"}});
  const auto b = part(1, {{"", "0"}, {"a\x01", "1"}});
  EXPECT_EQ(merged({a, b}), "\t0\na\t2\na\x01\t1\na b\t3\n");
}

TEST_F(PartFile, merging_passes_large_pieces_on_and_what_writing_throws_through) {
  std::vector<Line> lines;
  for (int i = 100000; i < 200000; ++i) lines.push_back({std::to_string(i), "v"});
  const auto path = part(0, lines, 5000);
  std::vector<std::size_t> pieces;
  merge_parts({path}, [&](std::string_view piece) { pieces.push_back(piece.size()); });
  EXPECT_LE(pieces.size(), 5U);
  EXPECT_GE(*std::min_element(pieces.begin(), pieces.end() - 1), 256U << 10U);
  EXPECT_THROW(merge_parts({path}, [](std::string_view) { throw std::string("gone"); }),
               std::string);
}

TEST_F(PartFile, merging_no_parts_or_empty_ones_gives_nothing) {
  EXPECT_EQ(merged({}), "");
  EXPECT_EQ(merged({part(0, {}), part(1, {})}), "");
  EXPECT_EQ(merged({part(0, {}), part(1, {{"a", "1"}}), part(2, {})}), "a\t1\n");
}

TEST_F(PartFile, every_truncation_of_a_framed_part_is_noticed) {
  const auto whole = read_file(part(0, {{"a", "1"}, {"ab", "2"}, {"b", "3"}}, 2));
  std::size_t first_frame = 0;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    write_file_synced(path(1), whole.substr(0, size));
    try {
      const std::string out = merged({path(1)});
      EXPECT_EQ(first_frame, 0U) << "only the end of the first block may look like the end";
      first_frame = size;
      EXPECT_EQ(out, "a\t1\nab\t2\n");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt) << size;
    }
  }
}

TEST_F(PartFile, every_damaged_byte_of_a_framed_part_is_noticed) {
  const auto whole = read_file(part(0, {{"a", "1"}, {"ab", "22"}, {"b", "3"}}, 3));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {0x01, 0x04, 0x80}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      write_file_synced(path(1), damaged);
      try {
        ADD_FAILURE() << "byte " << at << " of " << whole.size() << ": " << merged({path(1)});
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::corrupt);
      }
    }
  }
}

TEST_F(PartFile, a_missing_part_is_an_io_error) {
  try {
    merged({path(9)});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
  }
}

// A job may have thousands of partitions; a process may have but 1024 files open.
TEST_F(PartFile, merging_more_parts_than_files_may_be_open) {
  std::vector<fs::path> paths;
  std::string expected;
  for (std::size_t i = 100; i < 400; ++i) {
    paths.push_back(part(i, {{std::to_string(i), "v"}}));
    expected += std::to_string(i) + "\tv\n";
  }
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 128;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  std::string out;
  try {
    out = merged(paths);
  } catch (const Error& error) {
    out = error.what();
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(out == expected) << out.substr(0, 200);
}

// What the reader would refuse as damaged must not be written in the first place.
TEST_F(PartFile, a_line_that_could_not_be_read_is_not_written) {
  const testing::UntouchedMemory memory((std::size_t{1} << 30U) + 1);
  const muster_line_extent extent{1, static_cast<std::uint32_t>(memory.text().size())};
  PartWriter writer(path(0), PartFormat::framed, false);
  try {
    writer.write(memory.text(), &extent, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit);
  }
}

}  // namespace
}  // namespace muster::mapreduce
