#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/random.hpp>
#include <muster/wire/channel.hpp>
#include <muster/wire/message.hpp>

namespace muster::wire {

struct LinkOptions {
  /// A connection that has led to no welcome for so long is given up.
  Duration answer_within = std::chrono::seconds(5);
  /// Between a connection that failed and the next: twice as long each time, scaled by a random
  /// factor from [0.5, 1.5), so that those that lost theirs together do not come back together.
  Duration pause_min = std::chrono::milliseconds(250);
  Duration pause_max = std::chrono::seconds(30);
  ChannelOptions channel = {};
};

/// What a link wants to be done, in this order.
struct LinkOutput {
  bool disconnect = false;          ///< the connection is of no use any more
  bool connect = false;             ///< make another one
  std::vector<SharedFrame> frames;  ///< send these
  bool opened = false;              ///< there is a session, and not the one there was before
  std::vector<Message> messages;    ///< look at these
  bool heartbeat_due = false;       ///< call Link::beat()
  std::optional<Refusal> refused;   ///< it is not let in and gives up; or, unless ended(), why the
                                    ///< session is over and it tries to begin another one
};

/// The side that connects, a worker or a client: says hello, keeps one session with the coordinator
/// over as many connections as it takes, begins another when the coordinator has forgotten it, and
/// gives signs of life.
///
/// What makes no sense ends the session, as does a coordinator that was not heard of for the lease:
/// so a worker that stops its work at lease_end() has stopped when others get it.
///
/// A pure state machine, not thread-safe: told of what happens to its connection and of times, it
/// says what to do. Whoever runs it calls opened() when the connection it asked for is there, and
/// lost() when that is no more; after `disconnect` it tells no more of the old one.
class Link {
 public:
  /// `hello` is what it says of itself; the resumption is filled in by the link.
  Link(Hello hello, const LinkOptions& options, std::uint64_t seed);

  void start(TimePoint now, LinkOutput& out);
  void opened(TimePoint now, LinkOutput& out);
  void lost(TimePoint now, LinkOutput& out);
  /// A frame from the other side, or what claims to be one.
  void receive(TimePoint now, std::string_view bytes, LinkOutput& out);
  void expire(TimePoint now, LinkOutput& out);
  std::optional<TimePoint> next_deadline() const;

  /// Only while there is a session; arrives, unless that ends first. Throws Error(limit) of what is
  /// too long for a message.
  template <class M>
  void send(TimePoint now, const M& message, LinkOutput& out) {
    send_frame(now, static_cast<std::uint16_t>(M::type), to_frame(message), out);
  }
  bool has_room() const { return channel_ && channel_->has_room(); }
  /// A sign of life, when it is due; or earlier.
  void beat(TimePoint now, const Heartbeat& heartbeat, LinkOutput& out);
  /// Goes for good: when what was sent has arrived, or after LinkOptions::answer_within, it has
  /// ended(). At once if there is no connection.
  void end(TimePoint now, const std::string& reason, LinkOutput& out);

  bool has_session() const noexcept { return channel_.has_value(); }
  bool is_open() const noexcept { return state_ == State::open; }
  bool ended() const noexcept { return state_ == State::ended; }
  std::uint64_t session() const noexcept { return session_; }
  std::uint64_t epoch() const noexcept { return channel_ ? channel_->epoch() : 0; }
  /// The coordinator does not give this side up before: counted from when the last thing that it
  /// has answered was sent. None without a session.
  std::optional<TimePoint> lease_end() const;
  /// As the coordinator has said; of a session.
  Duration lease() const noexcept { return lease_; }
  /// What has been sent and may still get lost.
  std::size_t unacknowledged() const noexcept { return channel_ ? channel_->unacknowledged() : 0; }
  /// Frames that were no frames, or made no sense; for logs.
  std::uint64_t bad_frames() const noexcept { return bad_frames_; }

 private:
  enum class State : std::uint8_t {
    idle,        // before start()
    paused,      // until deadline_, then connects
    connecting,  // until deadline_
    greeting,    // has said hello; until deadline_
    open,
    closing,  // has said goodbye; until deadline_
    ended,
  };

  void send_frame(TimePoint now, std::uint16_t type, Bytes frame, LinkOutput& out);
  void connect(TimePoint now, LinkOutput& out);
  void try_later(TimePoint now, LinkOutput& out);
  void forget_session();
  void finish_closing(LinkOutput& out);
  void on_frame(TimePoint now, const Frame& frame, LinkOutput& out);
  void on_message(Message&& message, LinkOutput& out);
  void on(TimePoint now, const FrameHeader& header, const Welcome& welcome, LinkOutput& out);
  void on(TimePoint now, const Refusal& refusal, LinkOutput& out);

  Hello hello_;
  LinkOptions options_;
  Random random_;
  State state_ = State::idle;
  TimePoint deadline_{};
  Duration pause_{};

  std::uint64_t session_ = 0;
  std::optional<Channel> channel_;
  Duration heartbeat_{};
  Duration lease_{};
  TimePoint hello_at_{};
  TimePoint leased_from_{};  ///< when what was answered last had been sent
  TimePoint beat_at_{};
  std::uint64_t beats_ = 0;
  std::deque<TimePoint> unanswered_;  ///< when those were sent; the last one has number beats_
  std::uint64_t bad_frames_ = 0;
};

}  // namespace muster::wire
