#include <cstring>
#include <numeric>

#include <gtest/gtest.h>

#include "message_samples.hpp"

namespace muster {
namespace {

std::string message_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Message, every_sample_comes_back) {
  int count = 0;
  samples::for_each_sample([&]<class T>(const T& value) {
    SCOPED_TRACE(count);
    ++count;
    const Bytes bytes = samples::encoded(value);
    EXPECT_TRUE(samples::decoded<T>(bytes) == value);
    // Two in a row are told apart: arguments of a call lie one behind the other.
    const Bytes twice = bytes + bytes;
    ByteReader in(twice);
    EXPECT_TRUE(detail::decode_message<T>(in) == value);
    EXPECT_EQ(in.remaining(), bytes.size());
    EXPECT_TRUE(detail::decode_message<T>(in) == value);
    EXPECT_TRUE(in.empty());
  });
  EXPECT_EQ(count, 53);
}

TEST(Message, formats_are_fixed) {
  EXPECT_EQ(samples::encoded(std::uint32_t{0x01020304}), Bytes("\x04\x03\x02\x01", 4));
  EXPECT_EQ(samples::encoded(std::string("ab")), Bytes("\2\0\0\0\0\0\0\0ab", 10));
  EXPECT_EQ(samples::encoded(std::vector<std::uint16_t>{1, 2}),
            Bytes("\2\0\0\0\0\0\0\0\1\0\2\0", 12));
  EXPECT_EQ(samples::encoded(std::pair<char, bool>{'x', true}), Bytes("x\1", 2));
  EXPECT_EQ(samples::encoded(std::optional<char>('x')), Bytes("\0x", 2));
}

// Wherever a type is met, alone or in a class that goes through cereal, its bytes are the same.
TEST(Message, fast_paths_write_what_the_archive_writes) {
  const auto same = [](const auto& value) {
    Bytes archived;
    OutputArchive archive(archived);
    archive(value);
    archive.finish();
    EXPECT_EQ(samples::encoded(value), archived);
  };
  same(std::string("abc"));
  same(std::vector<int>{1, 2, 3});
  same(std::vector<samples::Point>{{1, 2}});
  same(std::vector<samples::Empty>(3));
  same(std::vector<std::string>{"a", "bc"});
  same(std::tuple<int, std::string, bool>{1, "b", true});
  same(std::pair<samples::Point, std::vector<double>>{{1, 2}, {3}});
  same(std::array<samples::Point, 2>{});
  same(std::complex<double>(1, 2));
  same(std::chrono::seconds(3));
}

TEST(Message, hints_are_exact_for_what_is_copied) {
  const auto exact = [](const auto& value) {
    EXPECT_EQ(detail::message_size_hint(value), samples::encoded(value).size());
  };
  exact(1);
  exact(samples::Point{});
  exact(std::string("abc"));
  exact(std::vector<std::uint64_t>(100));
  exact(std::vector<std::string>{"a", "", "ccc"});
  exact(std::tuple<>());
  exact(std::tuple<int, std::string, std::pair<bool, std::vector<char>>>{1, "a", {true, {'x'}}});
}

TEST(Message, large_values) {
  std::vector<std::uint64_t> numbers(1U << 20U);
  std::iota(numbers.begin(), numbers.end(), 0U);
  EXPECT_EQ(samples::decoded<std::vector<std::uint64_t>>(samples::encoded(numbers)), numbers);
  const std::vector<std::string> strings(100'000, std::string(20, 's'));
  EXPECT_EQ(samples::decoded<std::vector<std::string>>(samples::encoded(strings)), strings);
  const std::vector<samples::Derived> objects(1000, samples::derived());
  EXPECT_EQ(samples::decoded<std::vector<samples::Derived>>(samples::encoded(objects)), objects);
}

TEST(Message, arrays_may_lie_anywhere) {
  const std::vector<double> numbers = {1, 2, 3};
  for (std::size_t offset = 0; offset < 16; ++offset) {
    const Bytes bytes = std::string(offset, 'x') + samples::encoded(numbers);
    EXPECT_EQ(samples::decoded<std::vector<double>>(std::string_view(bytes).substr(offset)),
              numbers);
  }
}

TEST(Message, own_functions_are_preferred_to_copying) {
  const samples::Selective value{.sent = 1, .cached = 2};
  EXPECT_EQ(samples::encoded(value).size(), sizeof value.sent);
  const auto back = samples::decoded<samples::Selective>(samples::encoded(value));
  EXPECT_EQ(back.sent, 1);
  EXPECT_EQ(back.cached, 0);
  EXPECT_EQ(samples::encoded(std::vector<samples::Selective>(3)).size(), 8 + 3 * sizeof value.sent);
}

TEST(Message, objects_nest_32_deep_and_no_deeper) {
  EXPECT_EQ(message_of([] { samples::encoded(samples::chain(nesting_max + 1)); }),
            "a value cannot be encoded: its objects are nested deeper than 32");
  // What an encoder without that limit would have sent: value, one child, value, one child, ...
  const Bytes level = samples::encoded(std::int32_t{1}) + samples::encoded(std::uint64_t{1});
  Bytes bomb;
  for (int i = 0; i < 100'000; ++i) bomb += level;
  EXPECT_EQ(message_of([&] { samples::decoded<samples::Tree>(bomb); }),
            "message cannot be decoded: its objects are nested deeper than 32");
}

struct Silent {
  std::vector<int> kept_here;
  template <class Archive>
  void serialize(Archive& /*archive*/) {}
};

TEST(Message, elements_that_take_no_bytes_are_refused_by_the_sender) {
  EXPECT_EQ(samples::encoded(Silent()), "");
  EXPECT_EQ(message_of([] { samples::encoded(std::vector<Silent>(2)); }),
            "a container cannot be encoded: its elements take no bytes");
  EXPECT_EQ(message_of([] {
              samples::decoded<std::vector<Silent>>(samples::encoded(std::uint64_t{1} << 40U));
            }),
            "message cannot be decoded: a size exceeds the bytes that follow it");
}

TEST(Message, a_stray_truth_value_is_refused) {
  const Bytes two("\2", 1);
  const std::string expected = "message cannot be decoded: a truth value is neither 0 nor 1";
  EXPECT_EQ(message_of([&] { samples::decoded<bool>(two); }), expected);
  EXPECT_EQ(message_of([&] { samples::decoded<samples::Switch>(two); }), expected);
  EXPECT_EQ(message_of([&] { samples::decoded<std::optional<int>>(two); }), expected);
  EXPECT_EQ(message_of([&] { samples::decoded<std::tuple<bool>>(two); }), expected);
  EXPECT_EQ(message_of([&] { samples::decoded<std::array<bool, 1>>(two); }), expected);
  EXPECT_EQ(message_of([&] {
              samples::decoded<std::vector<bool>>(samples::encoded(std::uint64_t{1}) + two);
            }),
            expected);
  EXPECT_EQ(
      message_of([&] {
        samples::decoded<std::vector<samples::Switch>>(samples::encoded(std::uint64_t{1}) + two);
      }),
      expected);
}

TEST(Message, a_variant_of_no_such_alternative_is_corrupt) {
  using Variant = std::variant<int, std::string>;
  for (const std::int32_t index : {2, -1, INT32_MAX, INT32_MIN}) {
    try {
      samples::decoded<Variant>(samples::encoded(index) + std::string(64, '\0'));
      ADD_FAILURE() << index;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt);
    }
  }
}

TEST(Message, errors_name_what_was_read) {
  ByteReader in("abc", "argument 2 of f");
  EXPECT_EQ(message_of([&] { detail::decode_message<std::map<int, int>>(in); }),
            "argument 2 of f cannot be decoded: it ends early");
}

TEST(Message, archives_may_be_used_directly) {
  Bytes bytes;
  OutputArchive out(bytes);
  out(1, std::string("two"), std::map<int, double>{{3, 3.0}});
  out.finish();
  InputArchive in(bytes);
  int one = 0;
  std::string two;
  std::map<int, double> three;
  in(one, two, three);
  EXPECT_EQ(one, 1);
  EXPECT_EQ(two, "two");
  EXPECT_EQ(three, (std::map<int, double>{{3, 3.0}}));
  EXPECT_EQ(in.remaining(), 0U);
}

}  // namespace
}  // namespace muster
