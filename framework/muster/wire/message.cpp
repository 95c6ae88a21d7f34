#include <cstddef>
#include <utility>

#include <muster/wire/message.hpp>

namespace muster::wire {
namespace {

template <class M>
Message decode(std::string_view body) {
  ByteReader in(body, "a message");
  Message out(std::in_place_type<M>, detail::decode_message<M>(in));
  in.finish();
  return out;
}

struct Known {
  MessageType type;
  Message (*decode)(std::string_view body);
};

template <std::size_t... I>
std::optional<Message> read(std::uint16_t type, std::string_view body, std::index_sequence<I...>) {
  static constexpr Known known[] = {{std::variant_alternative_t<I, Message>::type,
                                     &decode<std::variant_alternative_t<I, Message>>}...};
  for (const Known& each : known) {
    if (static_cast<std::uint16_t>(each.type) == type) return each.decode(body);
  }
  return std::nullopt;
}

template <class... Allowed>
bool is_one_of(const Message& message) {
  return (std::holds_alternative<Allowed>(message) || ...);
}

}  // namespace

bool may_say(Role role, const Message& message) {
  if (is_one_of<Heartbeat, Goodbye, CodeWanted>(message)) return true;
  if (role == Role::worker) return is_one_of<Ends, Starts, WorkerState, DataPlace>(message);
  return is_one_of<Calls, Withdrawals, CodePiece, CodeMissing, CodeOffered, SubmitJob, AskJob,
                   AskWorkers>(message);
}

bool coordinator_may_say(const Message& message) {
  return is_one_of<Heartbeat, Goodbye, Calls, Withdrawals, Ends, Starts, Drain, ClusterSize,
                   CodeWanted, CodePiece, CodeMissing, JobAnswer, JobStates, JobChunks, JobLog,
                   WorkerRows, LiveJobs, DataKeys>(message);
}

std::optional<Message> read_message(std::uint16_t type, std::string_view body) {
  return read(type, body, std::make_index_sequence<std::variant_size_v<Message>>());
}

}  // namespace muster::wire
