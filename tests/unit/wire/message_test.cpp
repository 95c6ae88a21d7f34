#include <cstdint>
#include <set>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/wire/channel.hpp>
#include <muster/wire/message.hpp>

#include "message_samples.hpp"

namespace muster::wire {
namespace {

struct Encoded {
  std::uint16_t type;
  std::string body;
};

Encoded encode(const Message& message) {
  return std::visit(
      [](const auto& each) {
        return Encoded{static_cast<std::uint16_t>(each.type),
                       to_frame(each).substr(frame_header_bytes)};
      },
      message);
}

TEST(Message, every_kind_is_read_as_it_was_written) {
  std::set<std::size_t> kinds;
  for (const Message& message : samples::messages()) {
    const Encoded encoded = encode(message);
    const auto read = read_message(encoded.type, encoded.body);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->index(), message.index());
    EXPECT_EQ(encode(*read).body, encoded.body);
    kinds.insert(message.index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Message>) << "a kind has no sample";
}

TEST(Message, fields_arrive) {
  const auto read = [](const Message& message) {
    const Encoded encoded = encode(message);
    return read_message(encoded.type, encoded.body).value();
  };
  const auto samples = samples::messages();
  const auto hello = std::get<Hello>(read(samples[0]));
  EXPECT_EQ(hello.role, Role::worker);
  EXPECT_EQ(hello.instance, 7U);
  EXPECT_EQ(hello.name, "w1");
  EXPECT_EQ(hello.room->slots, 4U);
  EXPECT_EQ(hello.data_address, "tcp://node1:7601");
  EXPECT_EQ(hello.sandbox, "seccomp");
  EXPECT_EQ(hello.resume->received, 12U);
  const auto calls = std::get<Calls>(read(samples[5]));
  ASSERT_EQ(calls.calls.size(), 2U);
  EXPECT_EQ(calls.program[31], 0xab);
  EXPECT_EQ(calls.calls[0].bytes, "bytes");
  EXPECT_FALSE(calls.calls[0].options.has_value());
  EXPECT_EQ(calls.calls[1].options->worker_retries, 5U);
  EXPECT_EQ(calls.calls[1].options->priority, -3);
}

TEST(Message, types_are_distinct_and_not_the_channels_own) {
  std::set<std::uint16_t> types;
  for (const Message& message : samples::messages()) types.insert(encode(message).type);
  EXPECT_EQ(types.size(), std::variant_size_v<Message>);
  EXPECT_GE(*types.begin(), Channel::first_free_type);
}

TEST(Message, an_unknown_type_is_no_error) {
  EXPECT_FALSE(read_message(9999, "anything").has_value());
}

TEST(Message, every_other_length_is_corrupt) {
  for (const Message& message : samples::messages()) {
    const Encoded encoded = encode(message);
    for (std::size_t size = 0; size < encoded.body.size(); ++size) {
      EXPECT_THROW(read_message(encoded.type, encoded.body.substr(0, size)), Error)
          << encoded.type << " cut at " << size;
    }
    EXPECT_THROW(read_message(encoded.type, encoded.body + "x"), Error) << encoded.type;
  }
}

TEST(Message, values_that_mean_nothing_are_corrupt) {
  Encoded refusal = encode(Refusal{});
  refusal.body[0] = 100;
  EXPECT_THROW(read_message(refusal.type, refusal.body), Error);
  Encoded hello = encode(Hello{});
  hello.body[0] = 2;
  EXPECT_THROW(read_message(hello.type, hello.body), Error);
}

TEST(Message, run_bytes_are_made_in_place_and_read_where_they_are) {
  for (const std::size_t held_before : {0U, 5U, 500U}) {
    const RunBytes same{11, "", "what a run file holds"};
    Bytes frame(held_before, 'x');
    char* const to = start_run_bytes(frame, same.number, same.bytes.size());
    same.bytes.copy(to, same.bytes.size());
    const std::string_view body = std::string_view(frame).substr(frame_header_bytes);
    EXPECT_EQ(body, encode(same).body);
    const RunBytesView read = read_run_bytes(body);
    EXPECT_EQ(read.number, 11U);
    EXPECT_EQ(read.trouble, "");
    EXPECT_EQ(read.bytes, same.bytes);
    EXPECT_EQ(read.bytes.data(), to);
    for (std::size_t size = 0; size < body.size(); ++size)
      EXPECT_THROW(read_run_bytes(body.substr(0, size)), Error) << size;
    EXPECT_THROW(read_run_bytes(std::string(body) + 'x'), Error);
  }
  const std::string refused = encode(RunBytes{12, "it is gone", ""}).body;
  EXPECT_EQ(read_run_bytes(refused).trouble, "it is gone");
  EXPECT_EQ(read_run_bytes(refused).bytes, "");
}

}  // namespace
}  // namespace muster::wire
