#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/wire/frame.hpp>

namespace muster::wire {
namespace {

const FrameHeader header{.type = 7, .epoch = 3, .sequence = 1ULL << 40U, .acknowledged = 12};

Bytes make_frame(const FrameHeader& of, std::string_view body) {
  Bytes frame = start_frame();
  frame += body;
  finish_frame(frame, of);
  return frame;
}

template <class T>
Bytes with(Bytes frame, std::size_t at, T value) {
  std::memcpy(frame.data() + at, &value, sizeof(value));
  return frame;
}

TEST(Frame, is_read_as_it_was_made) {
  for (const std::string& body : {std::string(), std::string("abc"), std::string(100'000, 'x')}) {
    const Bytes bytes = make_frame(header, body);
    EXPECT_EQ(bytes.size(), frame_header_bytes + body.size());
    const FrameReading reading = read_frame(bytes);
    ASSERT_TRUE(reading.frame.has_value()) << to_string(reading.fault);
    EXPECT_EQ(reading.frame->header, header);
    EXPECT_EQ(reading.frame->body, body);
  }
}

TEST(Frame, begins_as_documented) {
  const Bytes bytes = make_frame(header, "abc");
  EXPECT_EQ(bytes.substr(0, 16), std::string("MSTR\1\0\7\0\3\0\0\0\0\0\0\0", 16));
}

TEST(Frame, every_damaged_bit_is_noticed) {
  const Bytes sound = make_frame(header, "some bytes");
  for (std::size_t bit = 0; bit < 8 * sound.size(); ++bit) {
    Bytes damaged = sound;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(read_frame(damaged).frame.has_value()) << "bit " << bit;
  }
}

TEST(Frame, every_other_length_is_refused) {
  const Bytes sound = make_frame(header, "some bytes");
  for (std::size_t size = 0; size < sound.size(); ++size) {
    EXPECT_FALSE(read_frame(sound.substr(0, size)).frame.has_value()) << size;
  }
  EXPECT_EQ(read_frame(sound + "x").fault, FrameFault::wrong_length);
}

TEST(Frame, says_what_is_wrong) {
  const Bytes sound = make_frame(header, "abc");
  EXPECT_EQ(read_frame("").fault, FrameFault::too_short);
  EXPECT_EQ(read_frame(std::string(100, '\0')).fault, FrameFault::foreign);
  const FrameReading other = read_frame(with(sound, 4, std::uint16_t{9}));
  EXPECT_EQ(other.fault, FrameFault::other_version);
  EXPECT_EQ(other.version, 9U);
  EXPECT_EQ(read_frame(with(sound, 8, ~std::uint32_t{0})).fault, FrameFault::too_long);
  EXPECT_EQ(read_frame(with(sound, 8, std::uint32_t{2})).fault, FrameFault::wrong_length);
  EXPECT_EQ(read_frame(with(sound, 12, std::uint32_t{1})).fault, FrameFault::reserved_in_use);
  EXPECT_EQ(read_frame(with(sound, 20, std::uint32_t{1})).fault, FrameFault::damaged);
  for (int i = 0; i <= static_cast<int>(FrameFault::reserved_in_use); ++i) {
    EXPECT_NE(to_string(static_cast<FrameFault>(i)), "unknown");
  }
}

TEST(Frame, has_a_largest_body) {
  EXPECT_NO_THROW(make_frame(header, std::string(body_bytes_max, 'x')));
  try {
    make_frame(header, std::string(body_bytes_max + 1, 'x'));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit);
  }
}

}  // namespace
}  // namespace muster::wire
