#include <algorithm>
#include <cstdlib>
#include <limits>
#include <new>

#include <gtest/gtest.h>
#include <malloc.h>

#include <muster/base/random.hpp>

#include "message_samples.hpp"

// Bytes from anybody: nothing but Error(corrupt) comes of them, and no memory to speak of. Every
// allocation of this program is counted.

namespace {

std::size_t live_bytes = 0;  // one thread
std::size_t live_bytes_peak = 0;

void* counted(std::size_t size) {
  void* out = std::malloc(size);
  if (out == nullptr) throw std::bad_alloc();
  live_bytes += malloc_usable_size(out);
  live_bytes_peak = std::max(live_bytes_peak, live_bytes);
  return out;
}

void uncounted(void* memory) noexcept {
  if (memory != nullptr) live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { uncounted(memory); }
void operator delete[](void* memory) noexcept { uncounted(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { uncounted(memory); }
void operator delete[](void* memory, std::size_t /*size*/) noexcept { uncounted(memory); }

namespace muster {
namespace {

using samples::encoded;

constexpr std::size_t slack_bytes = std::size_t{64} << 10U;

struct Outcome {
  bool decoded = false;
  std::size_t bytes_peak = 0;  ///< of memory, above what there was before
};

/// Decodes a T and counts. Whatever is thrown beside Error(corrupt) fails the test.
template <class T>
Outcome decode(std::string_view bytes) {
  Outcome out;
  const std::size_t before = live_bytes;
  live_bytes_peak = before;
  try {
    ByteReader in(bytes);
    [[maybe_unused]] const T value = detail::decode_message<T>(in);
    in.finish();
    out.decoded = true;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt) << error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
  out.bytes_peak = live_bytes_peak - before;
  return out;
}

template <class T>
void expect_bounded(std::string_view bytes, std::size_t factor = 4) {
  EXPECT_LE(decode<T>(bytes).bytes_peak, factor * bytes.size() + slack_bytes) << bytes.size();
}

/// Memory for a byte of a message of the smallest elements: a node of a std::list takes 24 bytes
/// for an element of one.
constexpr std::size_t node_factor = 40;

/// Containers of nodes in which any bytes are an element: all of them are values, and earn memory.
template <class T>
constexpr bool any_bytes_are_elements() {
  if constexpr (requires { typename T::node_type; }) {
    return detail::is_flat<typename T::key_type>;
  } else {
    return std::is_same_v<T, std::list<samples::Empty>>;
  }
}

/// Calls visit(value, bytes) with every sample.
template <class Visit>
void for_each_message(const Visit& visit) {
  int number = 0;
  samples::for_each_sample([&]<class T>(const T& value) {
    SCOPED_TRACE("sample " + std::to_string(number++));
    visit(value, encoded(value));
  });
}

TEST(HostileMessage, every_truncation_is_refused) {
  for_each_message([]<class T>(const T& /*value*/, const Bytes& bytes) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Outcome outcome = decode<T>(std::string_view(bytes).substr(0, size));
      ASSERT_FALSE(outcome.decoded) << size;
      ASSERT_LE(outcome.bytes_peak, 4 * size + slack_bytes);
    }
  });
}

TEST(HostileMessage, flipped_bits_do_no_harm) {
  Random random(1);
  std::size_t refused = 0;
  for_each_message([&]<class T>(const T& /*value*/, const Bytes& bytes) {
    for (int i = 0; i < 2000 && !bytes.empty(); ++i) {
      Bytes changed = bytes;
      for (std::uint64_t flips = 1 + random.below(4); flips > 0; --flips) {
        char& byte = changed[random.below(changed.size())];
        byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << random.below(8)));
      }
      const Outcome outcome = decode<T>(changed);
      if (!outcome.decoded) ++refused;
      ASSERT_LE(outcome.bytes_peak, 4 * changed.size() + slack_bytes);
    }
  });
  EXPECT_GT(refused, 10'000U);  // the flips are felt
}

TEST(HostileMessage, random_bytes_do_no_harm) {
  Random random(2);
  for_each_message([&]<class T>(const T& /*value*/, const Bytes& /*bytes*/) {
    for (int i = 0; i < 500; ++i) {
      Bytes noise(random.below(200), '\0');
      // Mostly small values, so that sizes are plausible.
      for (char& each : noise) each = static_cast<char>(random.next() >> (56 + random.below(8)));
      expect_bounded<T>(noise);
    }
  });
}

TEST(HostileMessage, giant_sizes_in_nine_bytes_take_no_memory) {
  constexpr auto limit = std::numeric_limits<std::uint64_t>::max();
  for_each_message([&]<class T>(const T& /*value*/, const Bytes& /*bytes*/) {
    for (const std::uint64_t size :
         {limit, limit / 2, limit / 8 + 1, limit / 32 + 1, std::uint64_t{1} << 32U,
          std::uint64_t{1} << 29U, std::uint64_t{2}, std::uint64_t{1}}) {
      expect_bounded<T>(encoded(size) + "x");
    }
  });
}

// The size fits the bytes that follow, but those hold no elements.
TEST(HostileMessage, a_size_alone_earns_no_memory) {
  constexpr std::size_t message_bytes = std::size_t{1} << 20U;
  for_each_message([&]<class T>(const T& /*value*/, const Bytes& /*bytes*/) {
    constexpr std::size_t factor = any_bytes_are_elements<T>() ? node_factor : 4;
    for (const std::size_t share : {1U, 2U, 8U, 24U, 32U, 64U}) {
      const Bytes size = encoded(std::uint64_t{message_bytes / share});
      expect_bounded<T>(size + Bytes(message_bytes, '\xff'), factor);
      Bytes nested;
      for (int i = 0; i < 4; ++i) nested += encoded(std::uint64_t{(message_bytes - 32) / share});
      expect_bounded<T>(nested + Bytes(message_bytes, '\xff'), factor);
    }
  });
}

// A message of empty elements is as good as any.
TEST(HostileMessage, empty_elements_take_what_they_must) {
  constexpr std::size_t message_bytes = std::size_t{1} << 18U;
  for_each_message([&]<class T>(const T& /*value*/, const Bytes& /*bytes*/) {
    for (const std::size_t share : {1U, 2U, 4U, 8U, 16U}) {
      const Bytes size = encoded(std::uint64_t{message_bytes / share});
      expect_bounded<T>(size + Bytes(message_bytes, '\0'), node_factor);
    }
  });
}

TEST(HostileMessage, types_that_are_nested_deeply_cannot_be_blown_up) {
  using Deep = std::vector<std::vector<std::vector<std::vector<std::vector<std::string>>>>>;
  constexpr std::uint64_t message_bytes = std::uint64_t{1} << 20U;
  Bytes bytes;
  while (bytes.size() < message_bytes) {
    bytes += encoded(std::max<std::uint64_t>(1, (message_bytes - bytes.size()) / 8));
  }
  expect_bounded<Deep>(bytes);
  // Vectors of one vector, of one vector, ...: as deep as the class allows, and no deeper.
  Bytes bomb;
  for (std::size_t i = 0; i < message_bytes / 12; ++i) {
    bomb += encoded(std::int32_t{0}) + encoded(std::uint64_t{1});
  }
  EXPECT_FALSE(decode<samples::Tree>(bomb).decoded);
  expect_bounded<samples::Tree>(bomb);
  // As wide as the message at every level.
  Bytes wide;
  while (wide.size() < message_bytes) {
    wide += encoded(std::int32_t{0}) + encoded((message_bytes - wide.size()) / 2);
  }
  expect_bounded<samples::Tree>(wide);
}

}  // namespace
}  // namespace muster
