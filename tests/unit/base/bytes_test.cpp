#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/bytes.hpp>
#include <muster/base/random.hpp>

namespace muster {
namespace {

using namespace std::string_view_literals;

enum class Colour : std::uint16_t { red = 0x1234 };

ErrorCode code_of(void (*body)(ByteReader&), std::string_view bytes) {
  ByteReader in(bytes, "the test");
  try {
    body(in);
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find("the test cannot be decoded: "), 0U) << error.what();
    return error.code();
  }
  return ErrorCode::usage;
}

Bytes message() {
  Bytes out;
  ByteWriter write(out);
  write.fixed(std::uint32_t{0xdeadbeef});
  write.varint(300);
  write.string("hello");
  write.fixed(-1.5);
  write.varint(UINT64_MAX);
  write.string("");
  write.fixed(Colour::red);
  return out;
}

void read_message(ByteReader& in) {
  EXPECT_EQ(in.fixed<std::uint32_t>(), 0xdeadbeefU);
  EXPECT_EQ(in.varint(), 300U);
  EXPECT_EQ(in.string(), "hello");
  EXPECT_EQ(in.fixed<double>(), -1.5);
  EXPECT_EQ(in.varint(), UINT64_MAX);
  EXPECT_EQ(in.string(), "");
  EXPECT_EQ(in.fixed<Colour>(), Colour::red);
  in.finish();
}

TEST(ByteWriter, writes_little_endian_and_leb128) {
  Bytes out;
  ByteWriter write(out);
  write.fixed(std::uint16_t{0x0102});
  write.varint(0x80);
  write.string("ab");
  EXPECT_EQ(out,
            "\x02\x01\x80\x01\x02"
            "ab"sv);
}

TEST(ByteReader, reads_back_what_was_written) {
  const Bytes bytes = message();
  ByteReader in(bytes);
  read_message(in);
  EXPECT_TRUE(in.empty());
}

TEST(ByteReader, refuses_every_proper_prefix_and_every_extension) {
  const Bytes bytes = message();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(code_of(read_message, std::string_view(bytes).substr(0, size)), ErrorCode::corrupt)
        << size;
  }
  EXPECT_EQ(code_of(read_message, bytes + '\0'), ErrorCode::corrupt);
}

TEST(ByteReader, varints_of_every_length_round_trip) {
  Random random(7);
  for (unsigned bits = 0; bits <= 64; ++bits) {
    for (int i = 0; i < 100; ++i) {
      const std::uint64_t value = bits == 0 ? 0 : random.next() >> (64U - bits);
      Bytes bytes;
      ByteWriter(bytes).varint(value);
      EXPECT_LE(bytes.size(), 10U);
      ByteReader in(bytes);
      ASSERT_EQ(in.varint(), value);
      ASSERT_TRUE(in.empty());
    }
  }
}

TEST(ByteReader, refuses_truncated_and_over_long_varints) {
  const auto read = [](ByteReader& in) { static_cast<void>(in.varint()); };
  EXPECT_EQ(code_of(read, ""), ErrorCode::corrupt);
  EXPECT_EQ(code_of(read, "\x80"), ErrorCode::corrupt);
  EXPECT_EQ(code_of(read, std::string(9, '\xff')), ErrorCode::corrupt);
  EXPECT_EQ(code_of(read, std::string(10, '\xff')), ErrorCode::corrupt);
  EXPECT_EQ(code_of(read, std::string(10, '\x80') + '\0'), ErrorCode::corrupt);
}

// Ten bytes hold 70 bits: the upper six of the last byte must not vanish silently.
TEST(ByteReader, refuses_a_varint_above_64_bits) {
  const auto read = [](ByteReader& in) { static_cast<void>(in.varint()); };
  EXPECT_EQ(code_of(read, std::string(9, '\xff') + '\x02'), ErrorCode::corrupt);
  EXPECT_EQ(code_of(read, std::string(9, '\x80') + '\x7e'), ErrorCode::corrupt);
}

TEST(ByteReader, refuses_sizes_beyond_the_end_without_overflow) {
  for (const std::uint64_t size : {std::uint64_t{4}, std::uint64_t{1} << 32U, UINT64_MAX}) {
    Bytes bytes;
    ByteWriter(bytes).varint(size);
    bytes += "abc";
    EXPECT_EQ(code_of([](ByteReader& in) { static_cast<void>(in.string()); }, bytes),
              ErrorCode::corrupt);
  }
}

TEST(ByteReader, take_gives_views_into_the_input) {
  const std::string text = "abcdef";
  ByteReader in(text);
  EXPECT_EQ(in.peek(), text.data());
  EXPECT_EQ(in.take(2).data(), text.data());
  EXPECT_EQ(in.take(0), "");
  EXPECT_EQ(in.remaining(), 4U);
  EXPECT_EQ(in.take(4), "cdef");
  EXPECT_TRUE(in.take(0).empty());
}

TEST(ByteReader, of_nothing_is_empty) {
  ByteReader in(std::string_view{});
  EXPECT_TRUE(in.empty());
  EXPECT_NO_THROW(in.finish());
  EXPECT_THROW(in.fixed<std::uint8_t>(), Error);
}

// A byte that is neither 0 nor 1 is no bool: copying it into one is undefined.
TEST(ByteReader, refuses_a_bool_that_is_neither_true_nor_false) {
  EXPECT_EQ(code_of([](ByteReader& in) { static_cast<void>(in.fixed<bool>()); }, "\x02"),
            ErrorCode::corrupt);
}

}  // namespace
}  // namespace muster
