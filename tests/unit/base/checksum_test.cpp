#include <set>
#include <string>

#include <gtest/gtest.h>

#include <muster/base/checksum.hpp>
#include <muster/base/random.hpp>

namespace muster {
namespace {

std::string random_bytes(std::uint64_t seed, std::size_t size) {
  Random random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random.next());
  return out;
}

TEST(Checksum, is_xxh3) {
  EXPECT_EQ(checksum(""), 0x2d06800538d394c2U);  // the reference value of XXH3-64, seed 0
  EXPECT_EQ(Checksum().value(), 0x2d06800538d394c2U);
}

TEST(Checksum, of_a_stream_equals_that_of_the_whole_however_it_is_cut) {
  Random random(3);
  for (const std::size_t size : {1U, 16U, 17U, 240U, 241U, 1023U, 4096U, 100000U}) {
    const std::string bytes = random_bytes(size, size);
    for (int round = 0; round < 5; ++round) {
      Checksum stream;
      std::string_view rest = bytes;
      while (!rest.empty()) {
        const std::size_t piece = 1 + random.below(rest.size());
        stream.add(rest.substr(0, piece));
        stream.add({});
        rest.remove_prefix(piece);
      }
      ASSERT_EQ(stream.value(), checksum(bytes)) << size;
      ASSERT_EQ(stream.value(), checksum(bytes)) << "asking must not change it";
    }
  }
}

TEST(Checksum, changes_with_every_single_bit) {
  std::string bytes = random_bytes(9, 64);
  std::set<std::uint64_t> seen{checksum(bytes)};
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const char mask = static_cast<char>(1U << (bit % 8));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
    seen.insert(checksum(bytes));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
  }
  EXPECT_EQ(seen.size(), 64U * 8U + 1U);
}

TEST(Checksum, moves_with_what_it_has_seen) {
  Checksum first;
  first.add("ab");
  Checksum second = std::move(first);
  second.add("c");
  EXPECT_EQ(second.value(), checksum("abc"));
  Checksum third;
  third = std::move(second);
  EXPECT_EQ(third.value(), checksum("abc"));
}

TEST(ToHex, is_16_lower_case_digits) {
  EXPECT_EQ(to_hex(0), "0000000000000000");
  EXPECT_EQ(to_hex(0xABCDEF), "0000000000abcdef");
  EXPECT_EQ(to_hex(UINT64_MAX), "ffffffffffffffff");
}

}  // namespace
}  // namespace muster
