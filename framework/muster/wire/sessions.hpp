#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/wire/channel.hpp>
#include <muster/wire/message.hpp>

namespace muster::wire {

/// A connection, as the side that is connected to names it. Another may get the same number later.
using PeerId = Id<struct PeerTag>;
using SessionId = Id<struct SessionTag>;

struct SessionsOptions {
  std::uint64_t epoch = 1;  ///< of this life of the coordinator; higher than all before
  Duration heartbeat = std::chrono::seconds(1);
  /// A session that is not heard of for so long is over. At least three heartbeats.
  Duration lease = std::chrono::seconds(10);
  std::size_t sessions_max = 10'000;
  ChannelOptions channel = {};
  /// Whether the owner of a key may be this; asked at each hello, also of who was in before. `user`
  /// is empty where there are no keys.
  std::function<bool(std::string_view user, Role role)> may_be = [](auto, auto) { return true; };
};

/// Somebody is there.
struct SessionBegun {
  SessionId session;
  Hello hello;
};
/// What was sent before did not arrive any more; what it had is over.
struct SessionEnded {
  enum class Reason : std::uint8_t {
    goodbye,
    expired,
    malformed,
    renewed,  ///< its owner has begun another one
    revoked,  ///< its owner may not be what it was any more
  };

  SessionId session;
  Reason reason = Reason::goodbye;
  std::string text;  ///< for people
};
struct SessionMessage {
  SessionId session;
  Message message;
};
using SessionEvent = std::variant<SessionBegun, SessionEnded, SessionMessage>;

struct SessionsOutput {
  std::vector<std::pair<PeerId, SharedFrame>> frames;  ///< to be sent
  std::vector<SessionEvent> events;                    ///< in the order in which they happened
};

/// The side that is connected to: lets workers and clients in, keeps a session with each over as
/// many connections as that takes, and gives up those it does not hear of.
///
/// A pure state machine, not thread-safe. Its cost is O(log) in sessions for each frame.
class Sessions {
 public:
  /// Throws Error(usage) of a lease below three heartbeats.
  explicit Sessions(SessionsOptions options);

  /// `user`: the key that the connection has proven to own; empty without keys.
  void receive(TimePoint now, PeerId peer, std::string_view user, std::string_view bytes,
               SessionsOutput& out);
  /// The connection is no more; the session waits for another.
  void gone(PeerId peer);
  /// Ends those whose owners may not be what they are any more (SessionsOptions::may_be).
  void recheck(SessionsOutput& out);
  void expire(TimePoint now, SessionsOutput& out);
  std::optional<TimePoint> next_deadline() const;

  /// Arrives, unless the session ends first. Ignored of one that has ended. Throws Error(limit) of
  /// what is too long for a message.
  template <class M>
  void send(TimePoint now, SessionId session, const M& message, SessionsOutput& out) {
    if (Session* known = find(session))
      send_frame(now, *known, static_cast<std::uint16_t>(M::type), to_frame(message), out);
  }
  bool has_room(SessionId id) const;
  /// Ends a session, or all of them, for the reason given. No event tells of it.
  void end(SessionId id, const Refusal& refusal, SessionsOutput& out);
  void end_all(const Refusal& refusal, SessionsOutput& out);

  std::size_t size() const noexcept { return sessions_.size(); }

  struct Counters {
    std::uint64_t bad_frames = 0;  ///< foreign, damaged, or of another version
    std::uint64_t refused = 0;     ///< hellos
    std::uint64_t stale = 0;       ///< of connections and epochs that are over
    std::uint64_t repeated = 0;
    std::uint64_t early = 0;
    std::uint64_t resumed = 0;  ///< sessions that went on over another connection
    std::uint64_t expired = 0;
    std::uint64_t malformed = 0;  ///< sound frames with bodies that make no sense
    std::uint64_t unknown = 0;    ///< messages of types that nobody knows
  };
  const Counters& counters() const noexcept { return counters_; }

 private:
  struct Session {
    SessionId id;
    Role role = Role::client;
    std::uint64_t instance = 0;
    std::string name;
    std::string user;
    Channel channel;
    std::optional<PeerId> peer;
    TimePoint heard{};
    std::optional<TimePoint> channel_deadline = std::nullopt;  ///< as it stands in deadlines_
  };

  /// What is due when. Of a session: its channel's deadline and its lease's end.
  struct Due {
    TimePoint at;
    SessionId session;

    friend auto operator<=>(const Due&, const Due&) = default;
  };

  Session* find(SessionId id);
  Session* find(PeerId peer);
  void on_frame(TimePoint now, Session& session, const Frame& frame, SessionsOutput& out);
  void on_hello(TimePoint now, PeerId peer, std::string_view user, const Frame& frame,
                SessionsOutput& out);
  std::optional<Refusal> judge(const Hello& hello, std::string_view user);
  bool resume(TimePoint now, PeerId peer, std::string_view user, const Hello& hello,
              SessionsOutput& out);
  void begin(TimePoint now, PeerId peer, std::string_view user, Hello hello, SessionsOutput& out);
  void welcome(const Session& session, std::optional<std::uint64_t> received,
               SessionsOutput& out) const;
  void attach(Session& session, PeerId peer);
  void end_of(Session& session, SessionEnded::Reason reason, const std::string& text,
              const std::optional<Refusal>& refusal, SessionsOutput& out);
  void forget(Session& session, const std::optional<Refusal>& refusal, SessionsOutput& out);
  void refuse(PeerId peer, const Refusal& refusal, SessionsOutput& out) const;
  void send_frame(TimePoint now, Session& session, std::uint16_t type, Bytes frame,
                  SessionsOutput& out);
  void pass_on(Session& session, std::vector<SharedFrame>& frames, SessionsOutput& out);
  void heard(TimePoint now, Session& session);

  SessionsOptions options_;
  std::map<SessionId, Session> sessions_;
  std::map<PeerId, SessionId> peers_;
  std::map<std::string, SessionId, std::less<>> worker_names_;
  std::map<std::uint64_t, SessionId> instances_;
  std::set<Due> leases_;
  std::set<Due> deadlines_;  ///< of channels
  std::uint64_t last_session_ = 0;
  Counters counters_;
};

}  // namespace muster::wire
