#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/plugin.hpp>

#include "unit/sdk/host.hpp"

namespace muster::sdk {
namespace {

template <class Key, class Value>
std::string block(const std::vector<std::pair<Key, Value>>& pairs) {
  std::string out;
  for (const auto& [key, value] : pairs) {
    Bytes scratch;
    ByteWriter(out).string(key_bytes<Key>(key, scratch));
    Codec<Value>::encode(out, value);
  }
  return out;
}

struct SumUp {
  using Key = std::string;
  using Value = std::uint64_t;
  static void map(std::string_view, Emitter<SumUp>&) {}
  static Value combine(Value a, Value b) { return a + b; }
};
using SumPairs = std::vector<std::pair<std::string, std::uint64_t>>;

struct List {
  using Key = std::string;
  using Value = std::uint64_t;
  static void map(std::string_view, Emitter<List>&) {}
  static std::string reduce(const Key& key, std::span<Value> values) {
    std::string out = key + ":";
    for (const Value each : values) out += std::to_string(each) + ",";
    return out;
  }
};

TEST(ReduceCombining, combines_over_all_blocks_and_sorts_by_key) {
  ReduceHost host({block(SumPairs{{"b", 1}, {"a", 2}}), block(SumPairs{{"b", 3}, {"", 9}})});
  const muster_counts counts = reduce_combining(SumUp(), host.raw());
  EXPECT_EQ(host.output, "\t9\na\t2\nb\t4\n");
  EXPECT_EQ(host.keys, (std::vector<std::string>{"", "a", "b"}));
  EXPECT_TRUE(host.extents_cover);
  EXPECT_EQ(counts.records_in, 4U);
  EXPECT_EQ(counts.records_out, 3U);
}

TEST(ReduceCombining, sorts_keys_that_are_prefixes_of_each_other_by_bytes) {
  Random random(3);
  std::map<std::string, std::uint64_t> expected;
  SumPairs pairs;
  for (int i = 0; i < 20000; ++i) {
    std::string key(random.below(20), '\0');
    for (char& c : key) c = std::string_view("\0\1\t\x7f\x80\xff", 6)[random.below(6)];
    pairs.emplace_back(key, i);
    expected[key] += static_cast<std::uint64_t>(i);
  }
  std::string text;
  for (const auto& [key, value] : expected) text += key + "\t" + std::to_string(value) + "\n";
  ReduceHost host({block(pairs)});
  reduce_combining(SumUp(), host.raw());
  EXPECT_TRUE(host.output == text);
  EXPECT_TRUE(host.extents_cover);
}

TEST(ReduceCombining, of_nothing_writes_nothing) {
  ReduceHost host({});
  const muster_counts counts = reduce_combining(SumUp(), host.raw());
  EXPECT_EQ(host.output, "");
  EXPECT_EQ(counts.records_in + counts.records_out, 0U);
}

TEST(ReduceCombining, refuses_a_damaged_block) {
  const std::string whole = block(SumPairs{{"key", 300}});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    ReduceHost host({whole.substr(0, size)});
    try {
      reduce_combining(SumUp(), host.raw());
      ADD_FAILURE() << size;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt);
    }
  }
}

struct ByNumber {
  using Key = std::int64_t;
  using Value = double;
  static void map(std::string_view, Emitter<ByNumber>&) {}
  static Value combine(Value a, Value b) { return std::max(a, b); }
};

TEST(ReduceCombining, writes_and_sorts_numbers_as_text) {
  using Pairs = std::vector<std::pair<std::int64_t, double>>;
  ReduceHost host({block(Pairs{{10, 1.5}, {9, 2}, {-1, 3}, {100, 4}, {10, 0.5}, {INT64_MIN, 0}})});
  reduce_combining(ByNumber(), host.raw());
  EXPECT_EQ(host.output, "-1\t3\n-9223372036854775808\t0\n10\t1.5\n100\t4\n9\t2\n");
}

template <class Body>
Error error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::broken, "nothing was thrown");
}

TEST(ReduceCombining, stops_at_the_memory_limit_and_says_what_to_do) {
  std::vector<std::string> blocks;
  for (int b = 0; b < 20; ++b) {
    SumPairs pairs;
    for (int i = 0; i < 10'000; ++i) pairs.emplace_back(std::to_string(b * 10'000 + i), 1);
    blocks.push_back(block(pairs));
  }
  ReduceHost host(blocks, 1U << 20U);
  const Error error = error_of([&] { reduce_combining(SumUp(), host.raw()); });
  EXPECT_EQ(error.code(), ErrorCode::limit);
  EXPECT_STREQ(error.what(), "it does not fit into 1 MiB of memory");
  EXPECT_NE(error.hint().find("--partitions"), std::string::npos);
  EXPECT_EQ(host.output, "");
}

// Few records can be large: the limit is one of bytes, not of records.
TEST(ReduceCombining, stops_at_the_memory_limit_with_few_but_large_keys) {
  std::vector<std::string> blocks;
  for (int i = 0; i < 64; ++i) {
    blocks.push_back(block(SumPairs{{std::to_string(i) + std::string(1U << 20U, 'k'), 1}}));
  }
  ReduceHost host(blocks, 4U << 20U);
  EXPECT_EQ(error_of([&] { reduce_combining(SumUp(), host.raw()); }).code(), ErrorCode::limit);
}

TEST(ReduceGrouped, gives_each_key_its_values_in_input_order) {
  ReduceHost host({block(SumPairs{{"b", 5}, {"a", 2}, {"b", 4}}), block(SumPairs{{"b", 3}})});
  const muster_counts counts = reduce_grouped(List(), host.raw());
  EXPECT_EQ(host.output, "a\ta:2,\nb\tb:5,4,3,\n");
  EXPECT_EQ(host.keys, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(counts.records_in, 4U);
  EXPECT_EQ(counts.records_out, 2U);
}

TEST(ReduceGrouped, agrees_with_a_multimap) {
  Random random(9);
  std::map<std::string, std::string> expected;
  std::vector<std::string> blocks;
  for (int b = 0; b < 30; ++b) {
    SumPairs pairs;
    for (int i = 0; i < 1000; ++i) {
      std::string key(random.below(18), static_cast<char>(random.below(3)));
      const std::uint64_t value = random.below(1000);
      expected[key] += std::to_string(value) + ",";
      pairs.emplace_back(std::move(key), value);
    }
    blocks.push_back(block(pairs));
  }
  std::string text;
  for (const auto& [key, values] : expected) text += key + "\t" + key + ":" + values + "\n";
  ReduceHost host(blocks);
  reduce_grouped(List(), host.raw());
  EXPECT_TRUE(host.output == text);
  EXPECT_TRUE(host.extents_cover);
}

struct OnlyLarge {
  using Key = std::uint32_t;
  using Value = std::uint64_t;
  static void map(std::string_view, Emitter<OnlyLarge>&) {}
  static std::optional<std::pair<std::uint64_t, std::size_t>> reduce(const Key& key,
                                                                     std::span<Value> values) {
    if (values.size() < 2) return std::nullopt;
    return std::pair{std::uint64_t{key} * 2, values.size()};
  }
};

TEST(ReduceGrouped, drops_groups_without_a_result) {
  using Pairs = std::vector<std::pair<std::uint32_t, std::uint64_t>>;
  ReduceHost host({block(Pairs{{7, 1}, {10, 1}, {9, 1}, {10, 1}, {9, 3}})});
  const muster_counts counts = reduce_grouped(OnlyLarge(), host.raw());
  EXPECT_EQ(host.output, "10\t20\t2\n9\t18\t2\n");
  EXPECT_EQ(counts.records_in, 5U);
  EXPECT_EQ(counts.records_out, 2U);
}

struct ByPair {
  using Key = std::pair<std::string, std::string>;
  using Value = std::uint64_t;
  static void map(std::string_view, Emitter<ByPair>&) {}
  static std::uint64_t reduce(const Key&, std::span<Value> values) { return values.size(); }
};

// Two keys may look the same when written out, and yet be two.
TEST(ReduceGrouped, keeps_different_keys_of_the_same_text_apart) {
  using Pairs = std::vector<std::pair<ByPair::Key, std::uint64_t>>;
  ReduceHost host({block(Pairs{{{"a\tb", "c"}, 1}, {{"a", "b\tc"}, 1}, {{"a\tb", "c"}, 1}})});
  const muster_counts counts = reduce_grouped(ByPair(), host.raw());
  EXPECT_EQ(counts.records_out, 2U) << host.output;
}

TEST(ReduceGrouped, stops_at_the_memory_limit) {
  std::vector<std::string> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(block(SumPairs(1000, {"the same key", 1})));
  ReduceHost host(blocks, 1U << 20U);
  const Error error = error_of([&] { reduce_grouped(List(), host.raw()); });
  EXPECT_EQ(error.code(), ErrorCode::limit);
  EXPECT_NE(error.hint(), "");
}

struct Text {
  using Key = std::string;
  using Value = std::string;
  static void map(std::string_view, Emitter<Text>&) {}
  static std::string reduce(const Key&, std::span<Value> values) {
    std::string out;
    for (const Value& each : values) out += each;
    return out;
  }
};

TEST(ReduceGrouped, values_larger_than_an_arena_block) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  const std::string large(3U << 20U, 'v');
  ReduceHost host({block(Pairs{{"k", large}, {"j", ""}, {"k", "end"}, {"k", large}})});
  reduce_grouped(Text(), host.raw());
  EXPECT_TRUE(host.output == "j\t\nk\t" + large + "end" + large + "\n");
}

TEST(ReduceLoop, a_failing_host_ends_it_at_once) {
  for (const int call : {0, 1, 2}) {
    ReduceHost reading({block(SumPairs{{"a", 1}}), block(SumPairs{{"b", 1}})});
    reading.fail_next_block = call;
    EXPECT_THROW(reduce_combining(SumUp(), reading.raw()), HostFailed);
    ReduceHost grouped({block(SumPairs{{"a", 1}}), block(SumPairs{{"b", 1}})});
    grouped.fail_next_block = call;
    EXPECT_THROW(reduce_grouped(List(), grouped.raw()), HostFailed);
  }
  ReduceHost writing({block(SumPairs{{"a", 1}})});
  writing.fail_write = 0;
  EXPECT_THROW(reduce_combining(SumUp(), writing.raw()), HostFailed);
}

TEST(SortKey, orders_as_text_does_and_equal_texts_by_index) {
  std::vector<std::string> texts = {"",
                                    std::string(1, '\0'),
                                    "a",
                                    std::string("a\0", 2),
                                    "ab",
                                    "abcdefgh",
                                    "abcdefghi",
                                    "abcdefgi",
                                    "b",
                                    "\x7f",
                                    "\x80",
                                    "\xff\xff\xff\xff\xff\xff\xff\xff",
                                    std::string(9, '\xff')};
  for (const auto& a : texts) {
    for (const auto& b : texts) {
      EXPECT_EQ(SortKey(a, 1) < SortKey(b, 1), a < b) << a << " < " << b;
    }
    EXPECT_LT(SortKey(a, 1), SortKey(a, 2));
    EXPECT_FALSE(SortKey(a, 2) < SortKey(a, 1));
  }
}

}  // namespace
}  // namespace muster::sdk
