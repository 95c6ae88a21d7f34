#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <muster/wire/sessions.hpp>

namespace muster::wire {
namespace {

constexpr std::size_t hello_bytes_max = 4096;

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' - 1 && c != '\x7f'; });
}

constexpr auto type_of_hello = static_cast<std::uint16_t>(MessageType::hello);

template <class M>
SharedFrame uncounted(const M& message, std::uint64_t epoch) {
  Bytes frame = to_frame(message);
  finish_frame(frame, {.type = static_cast<std::uint16_t>(M::type), .epoch = epoch});
  return std::make_shared<const Bytes>(std::move(frame));
}

}  // namespace

Sessions::Sessions(SessionsOptions options) : options_(std::move(options)) {
  if (options_.heartbeat <= Duration::zero() || options_.lease < 3 * options_.heartbeat) {
    throw Error(ErrorCode::usage, "a lease is shorter than three heartbeats",
                "give a longer lease, or more frequent heartbeats");
  }
}

void Sessions::receive(TimePoint now, PeerId peer, std::string_view user, std::string_view bytes,
                       SessionsOutput& out) {
  const FrameReading reading = read_frame(bytes);
  if (!reading.frame) {
    ++counters_.bad_frames;
    if (reading.fault == FrameFault::other_version) {
      refuse(peer,
             {Refusal::Reason::other_version,
              fmt::format("the coordinator speaks version {} of the protocol, you version {}",
                          protocol_version, reading.version),
              "run programs of one release"},
             out);
    }
    return;
  }
  try {
    if (reading.frame->header.type == type_of_hello) {
      on_hello(now, peer, user, *reading.frame, out);
    } else if (Session* session = find(peer); session != nullptr && session->user == user) {
      on_frame(now, *session, *reading.frame, out);
    } else {
      ++counters_.stale;
      refuse(peer, {Refusal::Reason::unknown, "there is no session with this connection", ""}, out);
    }
  } catch (const Error& error) {
    ++counters_.malformed;
    const Refusal refusal{Refusal::Reason::malformed, error.what(), ""};
    if (Session* session = find(peer); session != nullptr && session->user == user) {
      end_of(*session, SessionEnded::Reason::malformed, error.what(), refusal, out);
    } else {
      refuse(peer, refusal, out);
    }
  }
}

void Sessions::on_frame(TimePoint now, Session& session, const Frame& frame, SessionsOutput& out) {
  std::vector<SharedFrame> frames;
  const Arrival arrival = session.channel.receive(now, frame, frames);
  pass_on(session, frames, out);
  if (arrival == Arrival::stale) {
    ++counters_.stale;
    return;
  }
  heard(now, session);
  if (arrival == Arrival::repeated) ++counters_.repeated;
  if (arrival == Arrival::early) ++counters_.early;
  if (arrival != Arrival::deliver) return;
  std::optional<Message> message = read_message(frame.header.type, frame.body);
  if (!message) {
    ++counters_.unknown;
    return;
  }
  if (!may_say(session.role, *message)) {
    throw Error(ErrorCode::corrupt, "that is not for this side to say");
  }
  const auto answer = [&](const auto& uncounted) {
    const auto type = static_cast<std::uint16_t>(uncounted.type);
    frames = {session.channel.make_uncounted(type, to_frame(uncounted))};
    pass_on(session, frames, out);
  };
  if (const auto* beat = std::get_if<Heartbeat>(&*message)) {
    answer(Heartbeat{beat->number});
  } else if (const auto* goodbye = std::get_if<Goodbye>(&*message)) {
    answer(Goodbye{});
    end_of(session, SessionEnded::Reason::goodbye, goodbye->reason, std::nullopt, out);
    return;
  }
  out.events.emplace_back(SessionMessage{session.id, std::move(*message)});
}

void Sessions::on_hello(TimePoint now, PeerId peer, std::string_view user, const Frame& frame,
                        SessionsOutput& out) {
  if (frame.body.size() > hello_bytes_max) throw Error(ErrorCode::corrupt, "a hello is too long");
  auto message = read_message(type_of_hello, frame.body);
  auto& hello = std::get<Hello>(message.value());
  if (find(peer) != nullptr) throw Error(ErrorCode::corrupt, "a connection says hello once");
  if (hello.resume) {
    if (resume(now, peer, user, hello, out)) return;
    ++counters_.refused;
    refuse(peer, {Refusal::Reason::unknown, "there is no such session", ""}, out);
    return;
  }
  // Who has forgotten its session, or never heard that it began, has begun another one.
  const auto old = instances_.find(hello.instance);
  if (old != instances_.end() && find(old->second)->user == user) {
    end_of(*find(old->second), SessionEnded::Reason::renewed, "its owner has begun another one",
           std::nullopt, out);
  }
  if (const auto refusal = judge(hello, user)) {
    ++counters_.refused;
    refuse(peer, *refusal, out);
    return;
  }
  begin(now, peer, user, std::move(hello), out);
}

std::optional<Refusal> Sessions::judge(const Hello& hello, std::string_view user) {
  using Reason = Refusal::Reason;
  const bool is_worker = hello.role == Role::worker;
  if (!options_.may_be(user, hello.role)) {
    return Refusal{Reason::not_allowed,
                   fmt::format("this key may not be a {}", is_worker ? "worker" : "client"),
                   "muster keys authorize, on the coordinator"};
  }
  if (is_worker != hello.room.has_value())
    return Refusal{Reason::malformed, "workers, and only they, have slots", ""};
  if (is_worker && (hello.room->slots == 0 || hello.room->slots > worker_slots_max ||
                    hello.room->ahead > worker_slots_max)) {
    return Refusal{
        Reason::malformed,
        fmt::format("a worker has 1 to {} slots, and at most as many ahead", worker_slots_max),
        "give another --slots"};
  }
  if ((is_worker && hello.name.empty()) || hello.name.size() > name_bytes_max ||
      !is_printable(hello.name)) {
    return Refusal{Reason::malformed,
                   fmt::format("a name is 1 to {} printable characters", name_bytes_max),
                   "give another --name"};
  }
  for (const std::string* text :
       {&hello.host, &hello.version, &hello.data_address, &hello.sandbox}) {
    if (text->size() > text_bytes_max || !is_printable(*text))
      return Refusal{Reason::malformed, "a text in a hello is too long, or not printable", ""};
  }
  if (instances_.contains(hello.instance))
    return Refusal{Reason::malformed, "another key's process has this number", ""};
  if (is_worker && worker_names_.contains(hello.name)) {
    return Refusal{Reason::name_taken, fmt::format("a worker named '{}' is there", hello.name),
                   "give this one another --name, or wait until the other is given up"};
  }
  if (sessions_.size() >= options_.sessions_max) {
    return Refusal{Reason::full,
                   fmt::format("{} are connected, as many as may be", sessions_.size()), ""};
  }
  return std::nullopt;
}

bool Sessions::resume(TimePoint now, PeerId peer, std::string_view user, const Hello& hello,
                      SessionsOutput& out) {
  Session* const session = find(SessionId{hello.resume->session});
  if (session == nullptr || session->instance != hello.instance || session->user != user)
    return false;
  if (!options_.may_be(user, session->role)) {
    end_of(*session, SessionEnded::Reason::revoked, "its key may not be this any more",
           std::nullopt, out);
    return false;
  }
  std::vector<SharedFrame> frames;
  if (!session->channel.resume(now, hello.resume->received, frames)) return false;
  ++counters_.resumed;
  attach(*session, peer);
  welcome(*session, session->channel.received(), out);
  pass_on(*session, frames, out);
  heard(now, *session);
  return true;
}

void Sessions::begin(TimePoint now, PeerId peer, std::string_view user, Hello hello,
                     SessionsOutput& out) {
  const SessionId id{++last_session_};
  Session made{.id = id,
               .role = hello.role,
               .instance = hello.instance,
               .name = hello.name,
               .user = std::string(user),
               .channel = Channel(options_.epoch, options_.channel),
               .peer = std::nullopt,
               .heard = now};
  Session& session = sessions_.emplace(id, std::move(made)).first->second;
  leases_.insert({now + options_.lease, id});
  if (session.role == Role::worker) worker_names_.emplace(session.name, id);
  instances_.emplace(session.instance, id);
  attach(session, peer);
  welcome(session, std::nullopt, out);
  out.events.emplace_back(SessionBegun{id, std::move(hello)});
}

void Sessions::welcome(const Session& session, std::optional<std::uint64_t> received,
                       SessionsOutput& out) const {
  const Welcome welcome{session.id.value, received, options_.heartbeat.count(),
                        options_.lease.count()};
  out.frames.emplace_back(*session.peer, uncounted(welcome, options_.epoch));
}

void Sessions::attach(Session& session, PeerId peer) {
  if (session.peer) peers_.erase(*session.peer);
  session.peer = peer;
  peers_.emplace(peer, session.id);
}

void Sessions::gone(PeerId peer) {
  Session* const session = find(peer);
  if (session == nullptr) return;
  peers_.erase(peer);
  session->peer.reset();
}

void Sessions::end_of(Session& session, SessionEnded::Reason reason, const std::string& text,
                      const std::optional<Refusal>& refusal, SessionsOutput& out) {
  out.events.emplace_back(SessionEnded{session.id, reason, text});
  forget(session, refusal, out);
}

void Sessions::forget(Session& session, const std::optional<Refusal>& refusal,
                      SessionsOutput& out) {
  const SessionId id = session.id;
  if (session.peer) {
    if (refusal) refuse(*session.peer, *refusal, out);
    peers_.erase(*session.peer);
  }
  if (session.role == Role::worker) worker_names_.erase(session.name);
  instances_.erase(session.instance);
  leases_.erase({session.heard + options_.lease, id});
  if (session.channel_deadline) deadlines_.erase({*session.channel_deadline, id});
  sessions_.erase(id);
}

void Sessions::refuse(PeerId peer, const Refusal& refusal, SessionsOutput& out) const {
  out.frames.emplace_back(peer, uncounted(refusal, options_.epoch));
}

void Sessions::end(SessionId id, const Refusal& refusal, SessionsOutput& out) {
  if (Session* session = find(id)) forget(*session, refusal, out);
}

void Sessions::end_all(const Refusal& refusal, SessionsOutput& out) {
  while (!sessions_.empty()) forget(sessions_.begin()->second, refusal, out);
}

void Sessions::expire(TimePoint now, SessionsOutput& out) {
  while (!leases_.empty() && leases_.begin()->at <= now) {
    Session& session = *find(leases_.begin()->session);
    ++counters_.expired;
    end_of(session, SessionEnded::Reason::expired, "it was not heard of for the time of its lease",
           Refusal{Refusal::Reason::expired, "you were not heard of for too long", ""}, out);
  }
  while (!deadlines_.empty() && deadlines_.begin()->at <= now) {
    Session& session = *find(deadlines_.begin()->session);
    std::vector<SharedFrame> frames;
    session.channel.expire(now, frames);
    pass_on(session, frames, out);
  }
}

void Sessions::recheck(SessionsOutput& out) {
  std::vector<SessionId> revoked;
  for (const auto& [id, session] : sessions_) {
    if (!options_.may_be(session.user, session.role)) revoked.push_back(id);
  }
  for (const SessionId each : revoked) {
    end_of(*find(each), SessionEnded::Reason::revoked, "its key was revoked",
           Refusal{Refusal::Reason::not_allowed, "this key was revoked", ""}, out);
  }
}

std::optional<TimePoint> Sessions::next_deadline() const {
  std::optional<TimePoint> next;
  if (!leases_.empty()) next = leases_.begin()->at;
  if (!deadlines_.empty()) next = std::min(next.value_or(TimePoint::max()), deadlines_.begin()->at);
  return next;
}

void Sessions::send_frame(TimePoint now, Session& session, std::uint16_t type, Bytes frame,
                          SessionsOutput& out) {
  std::vector<SharedFrame> frames;
  session.channel.send(now, type, std::move(frame), frames);
  pass_on(session, frames, out);
}

/// After whatever the channel did: its frames go out, if there is a connection, and its deadline
/// may be another.
void Sessions::pass_on(Session& session, std::vector<SharedFrame>& frames, SessionsOutput& out) {
  if (session.peer) {
    for (SharedFrame& frame : frames) out.frames.emplace_back(*session.peer, std::move(frame));
  }
  frames.clear();
  const auto deadline = session.channel.next_deadline();
  if (deadline == session.channel_deadline) return;
  if (session.channel_deadline) deadlines_.erase({*session.channel_deadline, session.id});
  if (deadline) deadlines_.insert({*deadline, session.id});
  session.channel_deadline = deadline;
}

void Sessions::heard(TimePoint now, Session& session) {
  leases_.erase({session.heard + options_.lease, session.id});
  session.heard = now;
  leases_.insert({now + options_.lease, session.id});
}

bool Sessions::has_room(SessionId id) const {
  const auto found = sessions_.find(id);
  return found != sessions_.end() && found->second.channel.has_room();
}

Sessions::Session* Sessions::find(SessionId id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

Sessions::Session* Sessions::find(PeerId peer) {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? nullptr : find(found->second);
}

}  // namespace muster::wire
