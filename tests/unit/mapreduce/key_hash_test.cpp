#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <muster/base/random.hpp>
#include <muster/mapreduce/key_hash.hpp>

namespace muster::mapreduce {
namespace {

std::string random_text(Random& random, std::size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random.next());
  return out;
}

TEST(ShortKey, gives_back_its_bytes_for_every_size_and_byte) {
  for (std::size_t size = 0; size <= ShortKey::size_max; ++size) {
    for (int byte = 0; byte < 256; ++byte) {
      const std::string text(size, static_cast<char>(byte));
      const ShortKey key = make_short_key(text);
      ASSERT_EQ(key.view(), text) << size << " of " << byte;
      ASSERT_FALSE(key.empty());
    }
  }
  EXPECT_TRUE(ShortKey{}.empty());
}

TEST(ShortKey, differs_for_every_position_value_and_size) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  std::size_t expected = 0;
  for (std::size_t size = 0; size <= ShortKey::size_max; ++size) {
    std::string text(size, '\0');
    const auto add = [&] {
      const ShortKey key = make_short_key(text);
      seen.emplace(key.low, key.high);
      ++expected;
    };
    add();
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 1; byte < 256; ++byte) {
        text[at] = static_cast<char>(byte);
        add();
      }
      text[at] = '\0';
    }
  }
  EXPECT_EQ(seen.size(), expected);
}

TEST(ShortKey, does_not_depend_on_what_lies_around_it) {
  Random random(5);
  for (int round = 0; round < 20000; ++round) {
    const std::string text = random_text(random, random.below(40));
    const std::string around = random_text(random, 100);
    const std::size_t at = random.below(40);
    std::string other = around;
    other.replace(at, text.size(), text);
    const auto view = std::string_view(other).substr(at, text.size());
    if (text.size() <= ShortKey::size_max) {
      ASSERT_EQ(make_short_key(view), make_short_key(text));
    }
    ASSERT_EQ(hash_bytes(view, map_seed), hash_bytes(text, map_seed));
    ASSERT_EQ(hash_bytes(view, reduce_seed), hash_bytes(text, reduce_seed));
  }
}

// Two pages, of which only the first may be touched.
class EdgeOfPage {
 public:
  EdgeOfPage() : data_(static_cast<char*>(map())) { ::mprotect(data_ + page, page, PROT_NONE); }
  ~EdgeOfPage() { ::munmap(data_, 2 * page); }
  EdgeOfPage(const EdgeOfPage&) = delete;
  EdgeOfPage& operator=(const EdgeOfPage&) = delete;

  // The text, ending `before` bytes before the edge.
  std::string_view put(std::string_view text, std::size_t before) {
    char* to = data_ + page - before - text.size();
    text.copy(to, text.size());
    return {to, text.size()};
  }

 private:
  static constexpr std::size_t page = 4096;
  static void* map() {
    return ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  char* data_;
};

TEST(ShortKey, is_read_up_to_the_edge_of_a_page) {
  EdgeOfPage edge;
  Random random(6);
  for (std::size_t size = 1; size <= ShortKey::size_max; ++size) {
    for (std::size_t before = 0; before <= 20; ++before) {
      const std::string text = random_text(random, size);
      const std::string_view view = edge.put(text, before);
      ASSERT_EQ(make_short_key(view).view(), text) << size << " before " << before;
      ASSERT_EQ(hash_bytes(view, map_seed), hash_bytes(text, map_seed));
    }
  }
}

TEST(HashBytes, long_keys_are_read_up_to_the_edge_of_a_page) {
  EdgeOfPage edge;
  Random random(6);
  for (std::size_t size = 16; size <= 100; ++size) {
    const std::string text = random_text(random, size);
    ASSERT_EQ(hash_bytes(edge.put(text, 0), map_seed), hash_bytes(text, map_seed));
  }
}

// An empty key has no bytes: wherever it points, nothing may be read there. These run in a process
// of their own, because what they find is a crash.
TEST(ShortKey, of_nothing_reads_nothing_at_the_edge_of_a_page) {
  EXPECT_EXIT(
      {
        EdgeOfPage edge;
        const bool good = make_short_key(edge.put("", 0)) == make_short_key(std::string());
        ::_exit(good ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(ShortKey, of_a_view_of_nothing_is_the_empty_key) {
  EXPECT_EXIT(
      {
        const std::string_view nothing;
        const bool good = make_short_key(nothing) == make_short_key(std::string());
        ::_exit(good ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(HashBytes, of_long_keys_changes_with_every_byte_and_the_size) {
  for (const std::size_t size : {16U, 17U, 31U, 32U, 33U, 48U, 100U, 1000U}) {
    std::string text(size, 'a');
    std::set<std::uint64_t> seen{hash_bytes(text, map_seed)};
    for (char& c : text) {
      c = 'b';
      seen.insert(hash_bytes(text, map_seed));
      c = 'a';
    }
    EXPECT_EQ(seen.size(), size + 1) << size;
  }
  std::set<std::uint64_t> sizes;
  for (std::size_t size = 16; size < 300; ++size) {
    sizes.insert(hash_bytes(std::string(size, '\0'), map_seed));
  }
  EXPECT_EQ(sizes.size(), 284U);
}

TEST(HashBytes, the_seeds_give_unrelated_functions) {
  int alike = 0;
  for (int i = 0; i < 100000; ++i) {
    const std::string key = "key" + std::to_string(i);
    alike += hash_bytes(key, map_seed) >> 52U == hash_bytes(key, reduce_seed) >> 52U ? 1 : 0;
  }
  EXPECT_LT(alike, 60) << "expected: 100000 / 4096";
}

std::vector<std::string> natural_keys(int kind, int count) {
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) {
    switch (kind) {
      case 0:
        keys.push_back(std::to_string(i));
        break;
      case 1:
        keys.push_back("user-" + std::to_string(i * 1000));
        break;
      case 2:
        keys.push_back("https://example.org/articles/" + std::to_string(i) + ".html");
        break;
      default:
        keys.emplace_back(reinterpret_cast<const char*>(&i), sizeof i);
        break;
    }
  }
  return keys;
}

// Within six standard deviations of even, for keys of the kinds that occur.
TEST(PartitionOf, spreads_keys_evenly) {
  constexpr int count = 60000;
  for (int kind = 0; kind < 4; ++kind) {
    std::vector<std::uint64_t> hashes;
    for (const std::string& key : natural_keys(kind, count)) {
      hashes.push_back(hash_bytes(key, map_seed));
    }
    for (const std::uint32_t partitions : {1U, 2U, 3U, 7U, 8U, 64U, 100U, 512U, 1000U}) {
      std::vector<int> load(partitions);
      for (const std::uint64_t hash : hashes) {
        ASSERT_LT(partition_of(hash, partitions), partitions);
        ++load[partition_of(hash, partitions)];
      }
      const double mean = static_cast<double>(count) / partitions;
      for (const int each : load) {
        ASSERT_NEAR(each, mean, 6 * std::sqrt(mean) + 1) << partitions << " kind " << kind;
      }
    }
  }
}

TEST(PartitionOf, every_count_of_partitions_is_in_range_at_the_extremes) {
  for (std::uint32_t partitions = 1; partitions <= 1000; ++partitions) {
    ASSERT_EQ(partition_of(0, partitions), 0U);
    ASSERT_EQ(partition_of(UINT64_MAX, partitions), partitions - 1);
  }
  EXPECT_EQ(partition_of(UINT64_MAX, UINT32_MAX), UINT32_MAX - 1);
}

// 3000 keys that share their first 8 bytes must not share their hash, whichever 8 bytes these are.
TEST(HashKey, no_prefix_makes_all_keys_collide) {
  for (const std::uint64_t prefix : {map_seed.first, map_seed.second, reduce_seed.first}) {
    std::set<std::uint64_t> hashes;
    for (int i = 0; i < 3000; ++i) {
      std::string key(reinterpret_cast<const char*>(&prefix), sizeof prefix);
      key += std::to_string(i);
      hashes.insert(hash_bytes(key, map_seed));
    }
    EXPECT_GT(hashes.size(), 2990U) << prefix;
  }
}

}  // namespace
}  // namespace muster::mapreduce
