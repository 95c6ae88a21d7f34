#include <cstdint>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/register_error.hpp>

// What arrives may come from a process that has gone wild.

namespace muster::test {
namespace {

struct Lists : std::exception {
  std::vector<std::vector<std::string>> texts;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(texts);
  }
};

const bool registered = [] {
  register_error<Lists>();
  return true;
}();

Bytes sound_bytes() {
  return detail::encode_error_of([] {
           try {
             throw std::out_of_range("inner");
           } catch (...) {
             Lists lists;
             lists.texts = {{"a", "b"}, {"c"}};
             std::throw_with_nested(lists);
           }
         })
      .value();
}

enum class Outcome { itself, remote_error, corrupt, other };

Outcome outcome_of(const Bytes& bytes) {
  try {
    std::rethrow_exception(detail::decode_exception(bytes));
  } catch (const Lists& lists) {
    const auto* facts = remote_facts(lists);
    return facts != nullptr && facts->chain().size() <= 32 ? Outcome::itself : Outcome::other;
  } catch (const RemoteError& error) {
    return error.chain().size() <= 32 && !error.report().empty() ? Outcome::remote_error
                                                                 : Outcome::other;
  } catch (const Error& error) {
    return error.code() == ErrorCode::corrupt ? Outcome::corrupt : Outcome::other;
  } catch (...) {
    return Outcome::other;
  }
}

TEST(ErrorCodec, SoundBytesAreTheError) {
  const Bytes sound = sound_bytes();
  EXPECT_EQ(outcome_of(sound), Outcome::itself);
  try {
    std::rethrow_exception(detail::decode_exception(sound));
  } catch (const Lists& lists) {
    EXPECT_EQ(lists.texts[1][0], "c");
  }
}

TEST(ErrorCodec, WhatIsCutOffOrTooLongIsCorrupt) {
  const Bytes sound = sound_bytes();
  for (std::size_t size = 1; size < sound.size(); ++size) {
    ASSERT_EQ(outcome_of(sound.substr(0, size)), Outcome::corrupt) << size;
  }
  EXPECT_EQ(outcome_of(sound + "x"), Outcome::corrupt);
  EXPECT_EQ(outcome_of(Bytes(1'000'000, '\xff')), Outcome::corrupt);
}

TEST(ErrorCodec, NoBytesMeanThatThereWasNoMemory) {
  try {
    std::rethrow_exception(detail::decode_exception({}));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::limit);
  }
}

TEST(ErrorCodec, FlippedBitsDoNoHarm) {
  const Bytes sound = sound_bytes();
  std::size_t corrupt = 0;
  for (std::size_t bit = 0; bit < 8 * sound.size(); ++bit) {
    Bytes bytes = sound;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const Outcome outcome = outcome_of(bytes);
    ASSERT_NE(outcome, Outcome::other) << bit;
    if (outcome == Outcome::corrupt) ++corrupt;
  }
  EXPECT_GT(corrupt, 0U);
  Random random(7);
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes = sound;
    for (std::uint64_t flips = 1 + random.below(8); flips != 0; --flips) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    }
    ASSERT_NE(outcome_of(bytes), Outcome::other) << round;
  }
}

// An error that says it is of a type which it is not would otherwise call that type's functions.
TEST(ErrorCodec, AWrongNumberOfATypeIsNotBelieved) {
  Bytes bytes = detail::encode_error_of([] { throw std::range_error("x"); }).value();
  Bytes other = detail::encode_error_of([] { throw std::overflow_error("x"); }).value();
  // The number is behind everything but the value, which is empty.
  const std::size_t at = bytes.size() - 1 - sizeof(std::uint32_t);
  bytes.replace(at, sizeof(std::uint32_t), other, other.size() - 1 - sizeof(std::uint32_t),
                sizeof(std::uint32_t));
  EXPECT_EQ(outcome_of(bytes), Outcome::remote_error);
}

}  // namespace
}  // namespace muster::test
