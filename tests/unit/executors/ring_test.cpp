#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/executors/processes/frame.hpp>
#include <muster/executors/processes/ring.hpp>

namespace muster::detail {
namespace {

struct Ring {
  explicit Ring(std::size_t capacity)
      : data(capacity),
        writer(control, data.data(), capacity),
        reader(control, data.data(), capacity) {}

  std::string read(std::size_t size) {
    std::string out(size, '\0');
    out.resize(reader.read(out.data(), size));
    return out;
  }

  RingControl control;
  std::vector<char> data;
  RingWriter writer;
  RingReader reader;
};

TEST(Ring, DeliversWhatWasPublished) {
  Ring ring(16);
  EXPECT_EQ(ring.writer.write("hello"), 5U);
  EXPECT_EQ(ring.reader.available(), 0U) << "not published yet";
  ring.writer.publish();
  EXPECT_EQ(ring.reader.available(), 5U);
  EXPECT_EQ(ring.read(3), "hel");
  EXPECT_EQ(ring.read(9), "lo");
}

TEST(Ring, TakesNoMoreThanItHolds) {
  Ring ring(8);
  EXPECT_EQ(ring.writer.write("0123456789"), 8U);
  EXPECT_EQ(ring.writer.write("x"), 0U);
  ring.writer.publish();
  EXPECT_EQ(ring.read(3), "012");
  EXPECT_EQ(ring.writer.space(), 0U) << "not given back yet";
  ring.reader.publish();
  EXPECT_EQ(ring.writer.space(), 3U);
  EXPECT_EQ(ring.writer.write("89ab"), 3U);
  ring.writer.publish();
  EXPECT_EQ(ring.read(8), "34567");
  EXPECT_EQ(ring.read(8), "89a") << "past the end, from the start";
}

TEST(Ring, KnowsWhatItHasNotGivenBack) {
  Ring ring(8);
  ring.writer.write("abcd");
  ring.writer.publish();
  ring.read(3);
  EXPECT_EQ(ring.reader.unpublished(), 3U);
  ring.reader.publish();
  EXPECT_EQ(ring.reader.unpublished(), 0U);
}

TEST(Ring, AnImpossibleProducerIndexBreaksTheReader) {
  for (const std::uint64_t bad : {std::uint64_t{9}, ~std::uint64_t{0}, std::uint64_t{1} << 63U}) {
    Ring ring(8);
    ring.control.written.store(bad);
    EXPECT_EQ(ring.reader.available(), 0U);
    EXPECT_TRUE(ring.reader.broken());
    ring.control.written.store(4);
    EXPECT_EQ(ring.read(4), "") << "for ever";
  }
}

TEST(Ring, AProducerIndexThatGoesBackBreaksTheReader) {
  Ring ring(8);
  ring.writer.write("abcd");
  ring.writer.publish();
  ring.read(4);
  ring.control.written.store(2);
  EXPECT_EQ(ring.reader.available(), 0U);
  EXPECT_TRUE(ring.reader.broken());
}

TEST(Ring, AnImpossibleConsumerIndexBreaksTheWriter) {
  for (const std::uint64_t bad : {std::uint64_t{9}, ~std::uint64_t{0}}) {
    Ring ring(8);
    ring.writer.write("abcdefgh");
    ring.control.consumed.store(bad);
    EXPECT_EQ(ring.writer.write("x"), 0U);
    EXPECT_TRUE(ring.writer.broken());
  }
}

TEST(Ring, TwoThreadsAgreeOnEveryByte) {
  constexpr std::size_t total = 8U << 20U;
  Ring ring(4096);
  std::thread producer([&] {
    Random random(1);
    unsigned char next = 0;
    for (std::size_t sent = 0; sent < total;) {
      std::string piece(std::min<std::size_t>(1 + random.below(700), total - sent), '\0');
      for (char& byte : piece) byte = static_cast<char>(next++);
      std::string_view rest = piece;
      while (!rest.empty()) {
        rest.remove_prefix(ring.writer.write(rest));
        ring.writer.publish();
        if (!rest.empty()) std::this_thread::yield();
      }
      sent += piece.size();
    }
  });
  Random random(2);
  unsigned char expected = 0;
  std::size_t wrong = 0;
  for (std::size_t got = 0; got < total;) {
    const std::string piece = ring.read(1 + random.below(900));
    ring.reader.publish();
    for (const char byte : piece) wrong += static_cast<unsigned char>(byte) != expected++;
    got += piece.size();
    if (piece.empty()) std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_FALSE(ring.reader.broken() || ring.writer.broken());
}

std::string frame(FrameHeader header, std::string_view payload) {
  header.size = payload.size();
  return std::string(as_bytes(header)) + std::string(payload);
}

TEST(FrameReader, PutsAMessageLargerThanTheRingTogether) {
  Ring ring(64);
  FrameReader frames(1U << 20U);
  std::string payload(10'000, '\0');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 7);
  const std::string message =
      frame({FrameKind::value, 3, 17, 0, 0}, payload) + frame({FrameKind::error, 4, 18, 0, 0}, "");
  std::string_view rest = message;
  std::vector<std::string> payloads;
  std::vector<std::uint64_t> tasks;
  while (!rest.empty() || ring.reader.available() != 0) {
    rest.remove_prefix(ring.writer.write(rest));
    ring.writer.publish();
    while (frames.next(ring.reader) == FrameReader::Outcome::frame) {
      payloads.push_back(std::move(frames.payload()));
      tasks.push_back(frames.header().task);
    }
    ring.reader.publish();
  }
  EXPECT_EQ(payloads, (std::vector<std::string>{payload, ""}));
  EXPECT_EQ(tasks, (std::vector<std::uint64_t>{17, 18}));
}

TEST(FrameReader, RefusesAPayloadOverTheLimit) {
  Ring ring(64);
  FrameReader frames(100);
  ring.writer.write(frame({FrameKind::value, 0, 1, 0, 0}, std::string(101, 'x')));
  ring.writer.publish();
  EXPECT_EQ(frames.next(ring.reader), FrameReader::Outcome::broken);
}

TEST(FrameReader, ReportsABrokenRing) {
  Ring ring(64);
  FrameReader frames(100);
  EXPECT_EQ(frames.next(ring.reader), FrameReader::Outcome::need_more);
  ring.control.written.store(1000);
  EXPECT_EQ(frames.next(ring.reader), FrameReader::Outcome::broken);
}

}  // namespace
}  // namespace muster::detail
