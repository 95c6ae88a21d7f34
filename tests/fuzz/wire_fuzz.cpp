#include "wire_fuzz.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>

#include <muster/base/assert.hpp>
#include <muster/wire/link.hpp>
#include <muster/wire/sessions.hpp>

#include "unit/wire/message_samples.hpp"

namespace muster::fuzz {
namespace {

using namespace wire;

constexpr std::size_t sessions_max = 4;

/// What a step does; in the input a byte each.
enum class Step : std::uint8_t {
  raw_to_server,    // peer, size, bytes
  frame_to_server,  // peer, header, size, body
  raw_to_link,      // size, bytes
  frame_to_link,    // header, size, body
  gone,             // peer
  connection_lost,
  time,  // tenths of a second
  send,  // session
  last = send,
};

void expect_same_again(const Message& message) {
  std::visit(
      [](const auto& each) {
        const auto type = static_cast<std::uint16_t>(each.type);
        const Bytes first = to_frame(each);
        const auto again = read_message(type, std::string_view(first).substr(frame_header_bytes));
        MUSTER_ASSERT(again.has_value());
        const Bytes second = to_frame(std::get<std::decay_t<decltype(each)>>(*again));
        MUSTER_ASSERT(first == second);
      },
      message);
}

/// Both ways of reading it agree, on anything.
void read_run_bytes_twice(std::string_view body) {
  const auto type = static_cast<std::uint16_t>(MessageType::run_bytes);
  std::optional<Message> whole;
  try {
    whole = read_message(type, body);
  } catch (const Error& error) {
    MUSTER_ASSERT(error.code() == ErrorCode::corrupt);
  }
  try {
    const RunBytesView view = read_run_bytes(body);
    MUSTER_ASSERT(whole.has_value());
    const auto& same = std::get<RunBytes>(*whole);
    MUSTER_ASSERT(view.number == same.number && view.trouble == same.trouble &&
                  view.bytes == same.bytes);
  } catch (const Error& error) {
    MUSTER_ASSERT(error.code() == ErrorCode::corrupt && !whole.has_value());
  }
}

class World {
 public:
  World() : link_(a_worker(), LinkOptions{}, 1) {
    LinkOutput out;
    link_.start(now_, out);
    take(out);
  }

  void step(ByteReader& in) {
    const auto step = static_cast<Step>(in.fixed<std::uint8_t>() % (int(Step::last) + 1));
    if (step == Step::raw_to_server || step == Step::frame_to_server) {
      const PeerId peer{in.fixed<std::uint8_t>()};
      to_server(peer, step == Step::raw_to_server ? raw(in) : frame(in));
    } else if (step == Step::raw_to_link || step == Step::frame_to_link) {
      to_link(step == Step::raw_to_link ? raw(in) : frame(in));
    } else if (step == Step::gone) {
      sessions_.gone(PeerId{in.fixed<std::uint8_t>()});
    } else if (step == Step::connection_lost) {
      LinkOutput out;
      link_.lost(now_, out);
      take(out);
    } else if (step == Step::time) {
      now_ += std::chrono::milliseconds(100) * in.fixed<std::uint8_t>();
      pass_time();
    } else {
      SessionsOutput out;
      sessions_.send(now_, SessionId{in.fixed<std::uint8_t>()}, Drain{"x"}, out);
      take(out);
    }
    MUSTER_ASSERT(sessions_.size() <= sessions_max);
  }

 private:
  static Hello a_worker() {
    Hello hello{.role = Role::worker, .instance = 1};
    hello.name = "w";
    hello.room = WorkerRoom{};
    return hello;
  }

  static Bytes raw(ByteReader& in) {
    const auto size = in.fixed<std::uint16_t>();
    return Bytes(in.take(std::min<std::uint64_t>(size, in.remaining())));
  }

  // With a sound checksum, so that what is behind it is reached.
  static Bytes frame(ByteReader& in) {
    FrameHeader header;
    header.type = in.fixed<std::uint8_t>();
    header.epoch = in.fixed<std::uint8_t>();
    header.sequence = in.fixed<std::uint8_t>();
    header.acknowledged = in.fixed<std::uint8_t>();
    Bytes out = start_frame();
    const Bytes body = raw(in);
    if (header.type == static_cast<std::uint16_t>(MessageType::run_bytes))
      read_run_bytes_twice(body);
    out += body;
    finish_frame(out, header);
    return out;
  }

  void to_server(PeerId peer, const Bytes& bytes) {
    SessionsOutput out;
    sessions_.receive(now_, peer, "", bytes, out);
    take(out);
  }

  void to_link(const Bytes& bytes) {
    LinkOutput out;
    try {
      link_.receive(now_, bytes, out);
    } catch (const Error& error) {
      MUSTER_ASSERT(error.code() == ErrorCode::corrupt);
    }
    take(out);
  }

  void pass_time() {
    SessionsOutput of_sessions;
    sessions_.expire(now_, of_sessions);
    take(of_sessions);
    LinkOutput out;
    link_.expire(now_, out);
    take(out);
  }

  void take(const SessionsOutput& out) {
    for (const auto& [peer, sent] : out.frames) MUSTER_ASSERT(read_frame(*sent).frame.has_value());
    for (const SessionEvent& event : out.events) {
      if (const auto* message = std::get_if<SessionMessage>(&event))
        expect_same_again(message->message);
    }
  }

  void take(LinkOutput& out) {
    for (const SharedFrame& sent : out.frames) MUSTER_ASSERT(read_frame(*sent).frame.has_value());
    for (const Message& message : out.messages) expect_same_again(message);
    if (!out.connect) return;
    LinkOutput next;
    link_.opened(now_, next);
    take(next);
  }

  TimePoint now_{};
  Sessions sessions_{SessionsOptions{.sessions_max = sessions_max}};
  Link link_;
};

Bytes frame_step(Step step, std::uint16_t type, std::uint8_t sequence, std::string_view body) {
  Bytes out;
  ByteWriter writer(out);
  writer.fixed(step);
  if (step == Step::frame_to_server) writer.fixed(std::uint8_t{1});  // peer
  writer.fixed(static_cast<std::uint8_t>(type));
  const bool is_first = sequence == 0;
  writer.fixed(std::uint8_t(step == Step::frame_to_server && is_first ? 0 : 1));  // epoch
  writer.fixed(sequence);
  writer.fixed(std::uint8_t{0});
  writer.fixed(static_cast<std::uint16_t>(body.size()));
  out += body;
  return out;
}

template <class M>
Bytes body_of(const M& message) {
  return to_frame(message).substr(frame_header_bytes);
}

}  // namespace

void try_wire(std::string_view input) {
  World world;
  ByteReader in(input);
  try {
    while (!in.empty()) world.step(in);
  } catch (const Error& error) {
    MUSTER_ASSERT(error.code() == ErrorCode::corrupt);  // the input ended within a step
  }
}

std::vector<Bytes> wire_seeds() {
  std::vector<Bytes> seeds;
  Hello hello{.role = Role::client, .instance = 2};
  for (const Message& message : samples::messages()) {
    std::visit(
        [&](const auto& each) {
          const auto type = static_cast<std::uint16_t>(each.type);
          Bytes seed = frame_step(Step::frame_to_server, static_cast<std::uint16_t>(Hello::type), 0,
                                  body_of(hello));
          seed += frame_step(Step::frame_to_server, type, 1, body_of(each));
          seed += frame_step(
              Step::frame_to_link, static_cast<std::uint16_t>(Welcome::type), 0,
              body_of(Welcome{
                  .session = 1, .heartbeat_ns = 1'000'000'000, .lease_ns = 10'000'000'000}));
          seed += frame_step(Step::frame_to_link, type, 1, body_of(each));
          seed += static_cast<char>(Step::send);
          seed += '\1';
          seed += static_cast<char>(Step::time);
          seed += '\x14';
          seeds.push_back(std::move(seed));
        },
        message);
  }
  return seeds;
}

}  // namespace muster::fuzz
