#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/plugin.hpp>

#include "unit/sdk/host.hpp"

namespace muster::sdk {
namespace {

// Lines "key number" are pairs.
template <class Task>
void emit_line(std::string_view line, Emitter<Task>& out) {
  const auto blank = line.rfind(' ');
  out.emit(line.substr(0, blank), std::stoull(std::string(line.substr(blank + 1))));
}

struct Sum {
  using Key = std::string;
  using Value = std::uint64_t;
  static void map(std::string_view line, Emitter<Sum>& out) { emit_line(line, out); }
  static Value combine(Value a, Value b) { return a + b; }
};

struct Group {
  using Key = std::string;
  using Value = std::uint64_t;
  static void map(std::string_view line, Emitter<Group>& out) { emit_line(line, out); }
  static std::string reduce(const Key&, std::span<Value> values) {
    std::string out;
    for (const Value each : values) out += std::to_string(each) + ",";
    return out;
  }
};

using Pairs = std::vector<std::pair<std::string, std::uint64_t>>;

template <class Task>
std::unique_ptr<MapReduceInstance<Task>> make() {
  return std::make_unique<MapReduceInstance<Task>>(Parameters());
}

Pairs pairs_of(const std::vector<std::string>& blocks) {
  Pairs out;
  for (const std::string& block : blocks) {
    ByteReader in(block);
    while (!in.empty()) {
      std::string key(in.string());
      out.emplace_back(std::move(key), Codec<std::uint64_t>::decode(in));
    }
  }
  return out;
}

std::map<std::string, std::uint64_t> sums(const MapHost& host) {
  std::map<std::string, std::uint64_t> out;
  for (std::uint32_t i = 0; i < host.written.size(); ++i) {
    for (const auto& [key, value] : pairs_of(host.written[i])) {
      out[key] += value;
      EXPECT_EQ(mapreduce::partition_of(mapreduce::hash_bytes(key, mapreduce::map_seed),
                                        static_cast<std::uint32_t>(host.written.size())),
                i);
    }
  }
  return out;
}

// Blocks of lines over a vocabulary of short and long keys, and what they sum up to.
std::vector<std::string> random_blocks(std::size_t count, std::uint64_t distinct,
                                       std::map<std::string, std::uint64_t>& expected) {
  Random random(distinct);
  std::vector<std::string> blocks(count);
  for (std::string& block : blocks) {
    for (int i = 0; i < 200; ++i) {
      std::string key = "key" + std::to_string(random.below(distinct));
      if (random.chance(0.3)) key += " with a long tail behind it";
      const std::uint64_t value = random.below(100);
      block += key + " " + std::to_string(value) + "\n";
      expected[key] += value;
    }
  }
  return blocks;
}

TEST(Emitter, combines_before_it_writes) {
  const auto instance = make<Sum>();
  MapHost host({"a 1\nb 2\na 3\n", "a 4\n"}, 1);
  const muster_counts counts = instance->map(host.raw());
  EXPECT_EQ(sums(host), (std::map<std::string, std::uint64_t>{{"a", 8}, {"b", 2}}));
  EXPECT_EQ(counts.records_in, 4U);
  EXPECT_EQ(counts.records_out, 2U);
  EXPECT_EQ(host.records, 2U);
}

TEST(Emitter, gives_every_key_to_its_partition) {
  std::map<std::string, std::uint64_t> expected;
  const auto blocks = random_blocks(20, 500, expected);
  for (const std::uint32_t partitions : {1U, 2U, 7U, 1000U}) {
    const auto instance = make<Sum>();
    MapHost host(blocks, partitions);
    EXPECT_EQ(instance->map(host.raw()).records_out, expected.size());
    EXPECT_EQ(sums(host), expected);
  }
}

TEST(Emitter, with_little_memory_writes_more_but_sums_to_the_same) {
  std::map<std::string, std::uint64_t> expected;
  const auto blocks = random_blocks(100, 5000, expected);
  for (const std::uint64_t memory : {0U, 1U, 100'000U, 1'000'000U}) {
    const auto instance = make<Sum>();
    MapHost host(blocks, 3, memory);
    const muster_counts counts = instance->map(host.raw());
    EXPECT_EQ(sums(host), expected) << memory;
    EXPECT_EQ(counts.records_in, 20000U);
    EXPECT_EQ(counts.records_out, host.records);
    EXPECT_GE(host.records, expected.size());
  }
}

// A table that was too full once has to go on combining afterwards: a spill at every block would
// both undo the combining and walk the whole table every time.
TEST(Emitter, goes_on_combining_after_a_spill) {
  std::vector<std::string> blocks(1);
  for (int i = 0; i < 100'000; ++i) blocks[0] += "distinct" + std::to_string(i) + " 1\n";
  for (int i = 0; i < 1000; ++i) blocks.emplace_back("same 1\n");
  const auto instance = make<Sum>();
  MapHost host(blocks, 1, 4U << 20U);
  const muster_counts counts = instance->map(host.raw());
  EXPECT_EQ(counts.records_in, 101'000U);
  EXPECT_LE(counts.records_out, 100'010U);
}

TEST(Emitter, starts_afresh_with_every_chunk) {
  const auto instance = make<Sum>();
  for (const std::uint32_t partitions : {1U, 3U, 2U}) {
    MapHost host({"a 1\nb 1\n"}, partitions);
    const muster_counts counts = instance->map(host.raw());
    EXPECT_EQ(counts.records_in, 2U);
    EXPECT_EQ(counts.records_out, 2U);
    EXPECT_EQ(sums(host), (std::map<std::string, std::uint64_t>{{"a", 1}, {"b", 1}}));
  }
}

TEST(Emitter, of_an_empty_chunk_writes_nothing) {
  const auto instance = make<Sum>();
  MapHost host({});
  EXPECT_EQ(instance->map(host.raw()).records_in, 0U);
  EXPECT_EQ(host.writes, 0);
}

TEST(Emitter, without_combine_writes_pairs_as_they_come) {
  const auto instance = make<Group>();
  MapHost host({"a 1\nb 2\na 1\n", "a 0\n"}, 1);
  const muster_counts counts = instance->map(host.raw());
  EXPECT_EQ(pairs_of(host.written[0]), (Pairs{{"a", 1}, {"b", 2}, {"a", 1}, {"a", 0}}));
  EXPECT_EQ(counts.records_in, 4U);
  EXPECT_EQ(counts.records_out, 4U);
}

// Keys and values of all kinds that emit() takes.
struct Kinds {
  using Key = std::string;
  using Value = std::string;
  static void map(std::string_view line, Emitter<Kinds>& out) {
    out.emit("literal", "v");
    const char* pointer = "pointer";
    out.emit(pointer, std::string("v"));
    out.emit(std::string("string"), "v");
    out.emit(line, "v");
    out.emit(std::string(), "empty");
  }
  static Value combine(Value a, Value b) { return a + b; }
};

TEST(Emitter, takes_every_kind_of_string_for_a_string_key) {
  const auto instance = make<Kinds>();
  MapHost host({"view\nview\n"}, 1);
  instance->map(host.raw());
  std::map<std::string, std::string> seen;
  ByteReader in(host.written[0].at(0));
  while (!in.empty()) {
    std::string key(in.string());
    seen[key] = in.string();
  }
  EXPECT_EQ(seen, (std::map<std::string, std::string>{{"", "emptyempty"},
                                                      {"literal", "vv"},
                                                      {"pointer", "vv"},
                                                      {"string", "vv"},
                                                      {"view", "vv"}}));
}

struct EmptyView {
  using Key = std::string;
  using Value = std::uint64_t;
  static void map(std::string_view, Emitter<EmptyView>& out) { out.emit(std::string_view(), 1); }
  static Value combine(Value a, Value b) { return a + b; }
};

// What a regular expression gives for a group that did not take part: no bytes, nowhere.
TEST(Emitter, takes_a_view_of_nothing_for_the_empty_key) {
  EXPECT_EXIT(
      {
        const auto instance = make<EmptyView>();
        MapHost host({"x\ny\n"}, 1);
        instance->map(host.raw());
        ::_exit(pairs_of(host.written[0]) == Pairs{{"", 2}} ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace muster::sdk
