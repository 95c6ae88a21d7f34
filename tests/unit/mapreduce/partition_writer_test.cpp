#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/mapreduce/partition_writer.hpp>

namespace muster::mapreduce {
namespace {

struct Written {
  std::map<std::uint32_t, std::string> bytes;
  std::map<std::uint32_t, std::uint64_t> records;
  std::vector<std::size_t> blocks;
};

struct Collect {
  Written* into;
  void operator()(std::uint32_t partition, std::string_view block, std::uint64_t records) const {
    into->bytes[partition] += block;
    into->records[partition] += records;
    into->blocks.push_back(block.size());
    EXPECT_GT(records, 0U);
  }
};

TEST(PartitionWriter, passes_on_every_record_in_order_within_its_partition) {
  for (const std::uint32_t partitions : {1U, 3U, 1000U}) {
    Written written;
    PartitionWriter<Collect> writer(partitions, Collect{&written});
    std::map<std::uint32_t, std::string> expected;
    std::map<std::uint32_t, std::uint64_t> count;
    Random random(partitions);
    for (int i = 0; i < 200000; ++i) {
      const auto partition = static_cast<std::uint32_t>(random.below(partitions));
      const std::string record = std::to_string(i) + ";";
      writer.buffer(partition) += record;
      writer.appended(partition);
      expected[partition] += record;
      ++count[partition];
    }
    writer.flush();
    EXPECT_EQ(written.bytes, expected);
    EXPECT_EQ(written.records, count);
    writer.flush();
    EXPECT_EQ(written.bytes, expected) << "nothing is left";
  }
}

TEST(PartitionWriter, writes_blocks_of_useful_size_before_it_is_flushed) {
  Written written;
  PartitionWriter<Collect> writer(8192, Collect{&written});
  const std::string record(100, 'r');
  for (int i = 0; i < 1000; ++i) {
    writer.buffer(8191) += record;
    writer.appended(8191);
  }
  ASSERT_FALSE(written.blocks.empty());
  for (const std::size_t size : written.blocks) {
    EXPECT_GE(size, 4096U);
    EXPECT_LT(size, 4096U + record.size());
  }
}

TEST(PartitionWriter, takes_a_record_that_is_larger_than_a_block) {
  Written written;
  PartitionWriter<Collect> writer(2, Collect{&written});
  writer.buffer(1) += std::string(3U << 20U, 'r');
  writer.appended(1);
  EXPECT_EQ(written.blocks, std::vector<std::size_t>{3U << 20U});
  EXPECT_EQ(written.records[1], 1U);
}

TEST(PartitionWriter, without_records_writes_nothing) {
  Written written;
  PartitionWriter<Collect> writer(5, Collect{&written});
  writer.flush();
  EXPECT_TRUE(written.blocks.empty());
}

}  // namespace
}  // namespace muster::mapreduce
