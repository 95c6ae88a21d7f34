#include <string>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/mapreduce/attempt.hpp>

namespace muster::mapreduce {
namespace {

MapRequest map_request() {
  MapRequest out;
  out.task = {"/plugins/a b.so", "count", {{"tokens", "letters"}, {"", ""}}};
  out.ranges = {{"/in/x", "x", 1, 2, 3, 4}, {"/in/y", "y", 5, 6, UINT64_MAX, 0}};
  out.partitions = 65536;
  out.memory_bytes = UINT64_MAX;
  out.output = "/tmp/run-1";
  out.lasting = true;
  return out;
}

MapResult map_result() {
  return {UINT64_MAX, {0, 7, UINT64_MAX}, 12345, {1, 2, 0xfedcba9876543210U}};
}

ReduceRequest reduce_request() {
  ReduceRequest out;
  out.task = {"/p.so", "t", {}};
  out.partition = 3;
  out.memory_bytes = 99;
  out.runs = {"/tmp/run-0", "/tmp/run-1"};
  out.output = "/out";
  out.format = PartFormat::framed;
  out.lasting = true;
  return out;
}

// Encodings are compared: they hold every field.
TEST(AttemptCodec, requests_and_results_come_back_whole) {
  const MapRequest map = decode_map_request(encode(map_request()));
  EXPECT_EQ(encode(map), encode(map_request()));
  EXPECT_EQ(map.task.plugin, "/plugins/a b.so");
  EXPECT_EQ(map.task.settings.at(0).value, "letters");
  EXPECT_EQ(map.ranges.at(1).file_size, UINT64_MAX);
  EXPECT_EQ(map.partitions, 65536U);
  EXPECT_TRUE(map.lasting);

  const MapResult mapped = decode_map_result(encode(map_result()));
  EXPECT_EQ(encode(mapped), encode(map_result()));
  EXPECT_EQ(mapped.partition_records.at(2), UINT64_MAX);
  EXPECT_EQ(mapped.part.checksum, 0xfedcba9876543210U);

  const ReduceRequest reduce = decode_reduce_request(encode(reduce_request()));
  EXPECT_EQ(encode(reduce), encode(reduce_request()));
  EXPECT_EQ(reduce.runs.at(1), "/tmp/run-1");
  EXPECT_EQ(reduce.format, PartFormat::framed);
  EXPECT_TRUE(reduce.lasting);

  const ReduceResult reduced = decode_reduce_result(encode(ReduceResult{5, {6, 7, 8}}));
  EXPECT_EQ(reduced.records_in, 5U);
  EXPECT_EQ(reduced.part.bytes, 7U);
}

TEST(AttemptCodec, empty_ones_come_back_too) {
  EXPECT_EQ(encode(decode_map_request(encode(MapRequest{}))), encode(MapRequest{}));
  EXPECT_EQ(encode(decode_map_result(encode(MapResult{}))), encode(MapResult{}));
  EXPECT_EQ(encode(decode_reduce_request(encode(ReduceRequest{}))), encode(ReduceRequest{}));
  EXPECT_EQ(encode(decode_reduce_result(encode(ReduceResult{}))), encode(ReduceResult{}));
}

template <class Decode>
void refuses_other_lengths(const Bytes& bytes, Decode decode) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    try {
      decode(std::string_view(bytes).substr(0, size));
      ADD_FAILURE() << "taken: " << size << " of " << bytes.size();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt);
    }
  }
  EXPECT_THROW(decode(bytes + '\0'), Error);
}

TEST(AttemptCodec, refuses_every_prefix_and_every_extension) {
  refuses_other_lengths(encode(map_request()), &decode_map_request);
  refuses_other_lengths(encode(map_result()), &decode_map_result);
  refuses_other_lengths(encode(reduce_request()), &decode_reduce_request);
  refuses_other_lengths(encode(ReduceResult{1, {2, 3, 4}}), &decode_reduce_result);
}

template <class Decode>
void survives_damage(const Bytes& bytes, Decode decode) {
  Random random(1);
  for (int round = 0; round < 3000; ++round) {
    Bytes damaged = bytes;
    for (int i = 0; i < 2; ++i)
      damaged[random.below(damaged.size())] = static_cast<char>(random.next());
    try {
      static_cast<void>(decode(damaged));
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::corrupt);
    }
  }
}

TEST(AttemptCodec, damaged_bytes_are_decoded_or_refused) {
  survives_damage(encode(map_request()), &decode_map_request);
  survives_damage(encode(map_result()), &decode_map_result);
  survives_damage(encode(reduce_request()), &decode_reduce_request);
  survives_damage(encode(ReduceResult{1, {2, 3, 4}}), &decode_reduce_result);
}

}  // namespace
}  // namespace muster::mapreduce
