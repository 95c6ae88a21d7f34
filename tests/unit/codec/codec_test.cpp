#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/codec/codec.hpp>

namespace muster {
namespace {

enum class Small : std::uint8_t { a = 3 };
enum class Wide : std::int64_t { b = -5 };

template <class T>
Bytes encoded(const T& value) {
  Bytes out;
  Codec<T>::encode(out, value);
  return out;
}

template <class T>
T decoded(const Bytes& bytes) {
  ByteReader in(bytes);
  T out = Codec<T>::decode(in);
  in.finish();
  return out;
}

template <class T>
ErrorCode refusal(const Bytes& bytes) {
  try {
    static_cast<void>(decoded<T>(bytes));
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::usage;
}

// The value comes back, every proper prefix is refused, and two in a row are told apart.
template <class T>
void round_trip(const T& value) {
  const Bytes bytes = encoded(value);
  EXPECT_EQ(decoded<T>(bytes), value);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(refusal<T>(bytes.substr(0, size)), ErrorCode::corrupt) << size;
  }
  const Bytes twice = bytes + bytes;
  ByteReader in(twice);
  EXPECT_EQ(Codec<T>::decode(in), value);
  EXPECT_EQ(Codec<T>::decode(in), value);
  EXPECT_TRUE(in.empty());
}

template <class T>
class IntegerCodec : public ::testing::Test {};
using Integers =
    ::testing::Types<bool, char, signed char, unsigned char, std::int16_t, std::uint16_t,
                     std::int32_t, std::uint32_t, std::int64_t, std::uint64_t, wchar_t, char32_t>;
TYPED_TEST_SUITE(IntegerCodec, Integers);

TYPED_TEST(IntegerCodec, round_trips_at_the_limits_and_between) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const TypeParam value : {Limits::min(), Limits::max(), TypeParam{0}, TypeParam{1}}) {
    round_trip(value);
  }
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    round_trip(static_cast<TypeParam>(random.next() >> random.below(64)));
    round_trip(static_cast<TypeParam>(~(random.next() >> random.below(64))));
  }
}

TEST(Codec, small_numbers_are_short_whatever_their_sign) {
  EXPECT_EQ(encoded(std::int64_t{0}).size(), 1U);
  EXPECT_EQ(encoded(std::int64_t{-1}).size(), 1U);
  EXPECT_EQ(encoded(std::int64_t{63}).size(), 1U);
  EXPECT_EQ(encoded(std::int64_t{-64}).size(), 1U);
  EXPECT_EQ(encoded(std::int64_t{64}).size(), 2U);
  EXPECT_EQ(encoded(INT64_MIN).size(), 10U);
  EXPECT_EQ(encoded(std::uint64_t{127}).size(), 1U);
}

TEST(Codec, floating_point_comes_back_exactly) {
  for (const double value : {0.0, -0.0, 1.5, -1e308, 5e-324, HUGE_VAL, -HUGE_VAL}) {
    round_trip(value);
  }
  EXPECT_TRUE(std::isnan(decoded<double>(encoded(std::nan("")))));
  round_trip(3.25F);
}

TEST(Codec, enums) {
  round_trip(Small::a);
  round_trip(Wide::b);
}

TEST(Codec, strings_hold_any_bytes) {
  round_trip(std::string());
  round_trip(std::string("\0\xff\n", 3));
  round_trip(std::string(300, 'x'));
}

TEST(Codec, pairs_tuples_and_vectors_nest) {
  using Deep = std::vector<std::pair<std::string, std::vector<std::tuple<int, bool, double>>>>;
  round_trip(std::pair<std::string, std::int64_t>{"a", INT64_MIN});
  round_trip(std::tuple<>{});
  round_trip(std::tuple<int, std::string, char>{-1, "b", 'c'});
  round_trip(std::vector<int>{});
  round_trip(std::vector<bool>{true, false, true});
  round_trip(std::vector<std::vector<std::string>>{{}, {"a", ""}, {}});
  round_trip(Deep{{"x", {{1, true, 0.5}, {-2, false, -0.5}}}, {"", {}}});
}

// What makes it possible to compare and hash encoded keys as bytes.
TEST(Codec, different_values_have_different_encodings) {
  using Pair = std::pair<std::string, std::string>;
  EXPECT_NE(encoded(Pair{"ab", "c"}), encoded(Pair{"a", "bc"}));
  std::map<Bytes, std::int32_t> seen;
  for (std::int32_t value = -70000; value <= 70000; ++value) {
    EXPECT_TRUE(seen.emplace(encoded(value), value).second) << value;
  }
}

// -0.0 == 0.0, so they are one key.
TEST(Codec, equal_floating_point_values_have_equal_encodings) {
  EXPECT_EQ(encoded(0.0), encoded(-0.0));
}

TEST(Codec, refuses_a_number_that_the_type_cannot_hold) {
  EXPECT_EQ(refusal<std::uint16_t>(encoded(std::uint64_t{65536})), ErrorCode::corrupt);
  EXPECT_EQ(refusal<std::uint32_t>(encoded(UINT64_MAX)), ErrorCode::corrupt);
  EXPECT_EQ(refusal<std::int16_t>(encoded(std::int64_t{32768})), ErrorCode::corrupt);
  EXPECT_EQ(refusal<std::int32_t>(encoded(INT64_MIN)), ErrorCode::corrupt);
}

TEST(Codec, refuses_a_bool_that_is_neither_true_nor_false) {
  EXPECT_EQ(refusal<bool>("\x02"), ErrorCode::corrupt);
}

TEST(Codec, refuses_false_counts_without_allocating_for_them) {
  for (const std::uint64_t count : {std::uint64_t{5}, std::uint64_t{1} << 40U, UINT64_MAX}) {
    const Bytes bytes = encoded(count) + "abc";
    EXPECT_EQ(refusal<std::string>(bytes), ErrorCode::corrupt) << count;
    EXPECT_EQ(refusal<std::vector<char>>(bytes), ErrorCode::corrupt) << count;
    EXPECT_EQ(refusal<std::vector<double>>(bytes), ErrorCode::corrupt) << count;
    EXPECT_EQ(refusal<std::vector<std::vector<std::string>>>(bytes), ErrorCode::corrupt) << count;
  }
}

TEST(Codec, random_bytes_are_decoded_or_refused) {
  using Deep = std::vector<std::pair<std::string, std::vector<std::tuple<int, float, char>>>>;
  Random random(4);
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes(random.below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(random.next() & (random.chance(0.7) ? 7U : 255U));
    ByteReader in(bytes);
    try {
      static_cast<void>(Codec<Deep>::decode(in));
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::corrupt);
    }
  }
}

}  // namespace
}  // namespace muster
