#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/mapreduce/aggregation_table.hpp>

namespace muster::mapreduce {
namespace {

struct Add {
  std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const { return a + b; }
};
using SumTable = AggregationTable<std::uint64_t, Add>;

template <class Table, class Value>
std::map<std::string, Value> contents(Table& table) {
  std::map<std::string, Value> out;
  table.for_each([&](std::string_view key, const Value& value) {
    EXPECT_TRUE(out.emplace(key, value).second) << "twice: " << key;
  });
  EXPECT_EQ(out.size(), table.size());
  return out;
}

// Keys of all sizes around the boundary of 15 and 16, many of them prefixes of each other, some
// with zero bytes.
std::string random_key(Random& random, std::uint64_t distinct) {
  const std::uint64_t number = random.below(1 + random.below(distinct));
  std::string key = std::to_string(number * 2654435761U);
  key.resize(number % 40, number % 3 == 0 ? '\0' : 'x');
  return key + static_cast<char>(number) + static_cast<char>(number >> 8U) +
         static_cast<char>(number >> 16U);
}

TEST(AggregationTable, agrees_with_a_map_over_millions_of_additions) {
  for (const std::uint64_t distinct : {1U, 50U, 5000U, 600000U}) {
    Random random(distinct);
    SumTable table(map_seed, {});
    std::unordered_map<std::string, std::uint64_t> model;
    for (int i = 0; i < 1000000; ++i) {
      const std::string key = random_key(random, distinct);
      const std::uint64_t value = random.below(1000);
      table.add(key, value);
      model[key] += value;
    }
    std::size_t seen = 0;
    table.for_each([&](std::string_view key, std::uint64_t value) {
      const auto at = model.find(std::string(key));
      ASSERT_NE(at, model.end());
      ASSERT_EQ(at->second, value);
      ++seen;
    });
    EXPECT_EQ(seen, model.size());
    EXPECT_EQ(table.size(), model.size());
  }
}

TEST(AggregationTable, starts_empty) {
  SumTable table(map_seed, {});
  EXPECT_EQ(table.size(), 0U);
  EXPECT_TRUE((contents<SumTable, std::uint64_t>(table).empty()));
}

TEST(AggregationTable, takes_the_empty_key_and_keys_of_zero_bytes) {
  SumTable table(map_seed, {});
  std::map<std::string, std::uint64_t> expected;
  for (std::size_t size = 0; size <= 40; ++size) {
    for (std::uint64_t i = 0; i <= size; ++i) table.add(std::string(size, '\0'), 1);
    expected[std::string(size, '\0')] = size + 1;
  }
  EXPECT_EQ((contents<SumTable, std::uint64_t>(table)), expected);
}

TEST(AggregationTable, copies_keys_during_the_call) {
  SumTable table(map_seed, {});
  std::string key;
  for (int i = 0; i < 100; ++i) {
    key = "short" + std::to_string(i % 10);
    table.add(key, 1);
    key = "a key that is longer than a slot " + std::to_string(i % 10);
    table.add(key, 1);
    key.assign(key.size(), '!');
  }
  EXPECT_EQ(table.size(), 20U);
}

TEST(AggregationTable, keys_larger_than_an_arena_block) {
  SumTable table(map_seed, {});
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t size : {16U, 300000U, 1000000U, 262144U}) {
      table.add(std::string(size, 'k'), 1);
    }
  }
  const auto all = contents<SumTable, std::uint64_t>(table);
  EXPECT_EQ(all.size(), 4U);
  for (const auto& [key, value] : all) EXPECT_EQ(value, 3U) << key.size();
  EXPECT_GE(table.memory_bytes(), 1562160U);
}

TEST(AggregationTable, grows_with_few_slots_to_spare_and_counts_its_memory) {
  SumTable table(map_seed, {});
  const std::size_t at_first = table.memory_bytes();
  EXPECT_LT(at_first, 128U << 10U);
  for (int i = 0; i < 1000000; ++i) table.add(std::to_string(i), 1);
  EXPECT_EQ(table.size(), 1000000U);
  EXPECT_GE(table.memory_bytes(), 2U * 1000000U * 24U) << "at most half full";
  EXPECT_LE(table.memory_bytes(), 9U * 1000000U * 24U);
}

TEST(AggregationTable, clear_forgets_all_and_the_table_can_be_used_again) {
  SumTable table(map_seed, {});
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5000; ++i) {
      table.add("k" + std::to_string(i), 1);
      table.add("a long key of the round " + std::to_string(i), 2);
    }
    table.add(std::string("pending when cleared"), 1);
    if (round == 1) {
      EXPECT_EQ(table.size(), 10001U);
    }
    table.clear();
    EXPECT_EQ(table.size(), 0U);
    table.add(std::string("left"), 7);
    EXPECT_EQ((contents<SumTable, std::uint64_t>(table)),
              (std::map<std::string, std::uint64_t>{{"left", 7}}));
    table.clear();
  }
}

TEST(AggregationTable, calls_after_a_look_go_on_counting) {
  SumTable table(map_seed, {});
  for (std::uint64_t i = 1; i <= 100; ++i) {
    table.add(std::string("k"), 1);
    ASSERT_EQ(table.size(), 1U);
    ASSERT_EQ((contents<SumTable, std::uint64_t>(table)["k"]), i);
  }
}

TEST(AggregationTable, for_each_may_change_values) {
  SumTable table(map_seed, {});
  table.add(std::string("a"), 1);
  table.add("a key that is longer than a slot", 2);
  table.for_each([](std::string_view, std::uint64_t& value) { value *= 10; });
  table.add(std::string("a"), 1);
  EXPECT_EQ(
      (contents<SumTable, std::uint64_t>(table)),
      (std::map<std::string, std::uint64_t>{{"a", 11}, {"a key that is longer than a slot", 20}}));
}

// Associative but not commutative: the earlier value is always on the left.
struct Join {
  std::string operator()(std::string a, std::string b) const { return std::move(a) + b; }
};

TEST(AggregationTable, combines_in_the_order_of_addition) {
  AggregationTable<std::string, Join> table(map_seed, {});
  std::map<std::string, std::string> model;
  Random random(8);
  for (int i = 0; i < 20000; ++i) {
    const std::string key = random_key(random, 700);
    const std::string value = std::to_string(i) + ",";
    table.add(key, value);
    model[key] += value;
  }
  EXPECT_EQ((contents<AggregationTable<std::string, Join>, std::string>(table)), model);
  table.clear();
  EXPECT_EQ(table.size(), 0U);
  table.add(std::string("again"), "x");
  EXPECT_EQ((contents<AggregationTable<std::string, Join>, std::string>(table)),
            (std::map<std::string, std::string>{{"again", "x"}}));
}

struct Concat {
  using Value = std::vector<std::string>;
  Value operator()(Value a, Value b) const {
    a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
    return a;
  }
};

TEST(AggregationTable, holds_values_that_own_memory_through_growth) {
  AggregationTable<Concat::Value, Concat> table(reduce_seed, {});
  for (int i = 0; i < 30000; ++i) {
    table.add(std::to_string(i % 10000), {"a value too long for the small buffer"});
    table.add("a key that is longer than a slot " + std::to_string(i % 3000), {"v"});
  }
  std::size_t values = 0;
  table.for_each([&](std::string_view, const Concat::Value& value) { values += value.size(); });
  EXPECT_EQ(table.size(), 13000U);
  EXPECT_EQ(values, 60000U);
}

struct Throwing {
  std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const {
    if (b == 13) throw std::runtime_error("unlucky");
    return a + b;
  }
};

TEST(AggregationTable, can_be_cleared_and_used_after_combine_threw) {
  AggregationTable<std::uint64_t, Throwing> table(map_seed, {});
  table.add(std::string("k"), 1);
  table.add(std::string("k"), 13);
  EXPECT_THROW(table.size(), std::runtime_error);
  table.clear();
  table.add(std::string("k"), 2);
  table.add(std::string("k"), 3);
  EXPECT_EQ((contents<AggregationTable<std::uint64_t, Throwing>, std::uint64_t>(table)),
            (std::map<std::string, std::uint64_t>{{"k", 5}}));
}

TEST(HugeArray, starts_with_zeros_and_goes_back_to_them) {
  HugeArray<std::uint64_t> array(600000);  // above the size of a huge page
  EXPECT_EQ(array.size(), 600000U);
  EXPECT_EQ(array.bytes(), 4800000U);
  EXPECT_EQ(std::count(array.data(), array.data() + array.size(), 0U), 600000);
  array[599999] = 5;
  HugeArray<std::uint64_t> moved = std::move(array);
  EXPECT_EQ(moved[599999], 5U);
  moved.reset();
  EXPECT_EQ(moved[599999], 0U);
}

TEST(HugeArray, constructs_and_destroys_what_is_not_trivial) {
  HugeArray<std::string> array(1000);
  array[7] = std::string(100, 'x');
  HugeArray<std::string> other(1);
  other = std::move(array);
  EXPECT_EQ(other[7].size(), 100U);
  other.reset();
  EXPECT_EQ(other[7], "");
}

}  // namespace
}  // namespace muster::mapreduce
