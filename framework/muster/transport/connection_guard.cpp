#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/thread.hpp>
#include <muster/base/units.hpp>
#include <muster/transport/connection_guard.hpp>
#include <muster/transport/zmq_socket.hpp>

namespace muster::transport {
namespace {

using namespace std::chrono_literals;

// How long a crowd must have been gone before the next one is news.
constexpr Duration quiet_for = 5s;
constexpr Duration report_every = 10s;
// A peer on the loopback sends some hundred megabytes within the shortest. To look at a connection
// takes about a microsecond, so the time between looks grows with their number.
constexpr Duration look_every_min = 200ms;
constexpr Duration look_every_max = 1s;
constexpr Duration look_every_for_each = 500us;

/// What the limit of open files leaves. What is kept back is for journal and programs, and for
/// connections that ZeroMQ accepts before the guard has ended them.
std::size_t connections_that_fit(const OpenFiles& files, std::size_t wanted) {
  constexpr std::uint64_t kept_back_min = 24;
  const std::uint64_t kept_back = files.open + std::max(kept_back_min, files.limit / 8);
  if (files.limit <= kept_back) {
    throw Error(ErrorCode::limit,
                fmt::format("this process may have {} files open, too few to take connections",
                            files.limit),
                fmt::format("raise the limit with 'ulimit -n {}'", 2 * kept_back));
  }
  return std::min<std::size_t>(wanted, files.limit - kept_back);
}

/// The kernel's own name of the socket that has this descriptor now; 0: it is none.
std::uint64_t cookie_of(int descriptor) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  return ::getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

/// The bytes that have arrived over a TCP connection; 0 of another one.
std::uint64_t bytes_arrived(int descriptor) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return info.tcpi_bytes_received;
}

}  // namespace

ConnectionGuard::ConnectionGuard(zmq::context_t& context, zmq::socket_t& guarded,
                                 ConnectionLimits limits)
    : guarded_(guarded),
      limits_(std::move(limits)),
      files_(count_open_files()),
      connections_max_(connections_that_fit(files_, limits_.connections_max)),
      events_(context, zmq::socket_type::pair) {
  const std::string endpoint = unused_endpoint();
  constexpr int watched = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_MONITOR_STOPPED;
  if (zmq_socket_monitor(guarded_.handle(), endpoint.c_str(), watched) != 0)
    throw system_error(errno, "watching connections");
  events_.set(zmq::sockopt::linger, 0);
  events_.connect(endpoint);
  try {
    thread_ = start_thread("the thread that counts connections", [this] { run(); });
  } catch (...) {
    zmq_socket_monitor(guarded_.handle(), nullptr, 0);  // nobody would take what ZeroMQ tells
    throw;
  }
}

ConnectionGuard::~ConnectionGuard() {
  zmq_socket_monitor(guarded_.handle(), nullptr, 0);  // of which ZeroMQ tells, and the thread ends
  thread_.join();
}

void ConnectionGuard::heard(zmq::message_t& message) {
  // ZeroMQ's own name for the descriptor that a message came over.
  const char* const text = zmq_msg_gets(message.handle(), "__fd");
  int descriptor = 0;
  if (text == nullptr ||
      std::from_chars(text, text + std::strlen(text), descriptor).ec != std::errc{})
    return;
  const std::lock_guard lock(mutex_);
  Connection& connection = connections_[descriptor];
  if (!connection.is_open) {  // not yet: or not any more, and this came late
    const std::uint64_t cookie = cookie_of(descriptor);
    if (cookie != connection.cookie) connection = {};
    connection.cookie = cookie;
  }
  ++connection.messages;
}

ConnectionCounters ConnectionGuard::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void ConnectionGuard::run() {
  for (;;) {
    // Without connections there is nothing to look at until ZeroMQ tells of one.
    const std::uint64_t open = counters().open;
    const bool must_look = open != 0 || is_full_;
    zmq::pollitem_t items[] = {{events_.handle(), 0, ZMQ_POLLIN, 0}};
    poll_until(must_look ? std::optional(look_at_) : std::nullopt, items);
    const TimePoint now = Clock::now();
    if (!take_events(now)) return;
    if (look_at_ <= now) {
      look_at_all(now);
      look_at_ =
          now + std::clamp<Duration>(open * look_every_for_each, look_every_min, look_every_max);
    }
    report(now);
  }
}

/// False when there will be no more.
bool ConnectionGuard::take_events(TimePoint now) {
  while (const std::optional<SocketEvent> told = next_event(events_)) {
    if (told->event == ZMQ_EVENT_MONITOR_STOPPED) return false;
    const int descriptor = static_cast<int>(told->value);
    const std::lock_guard lock(mutex_);
    if (told->event == ZMQ_EVENT_ACCEPTED) {
      accepted(now, descriptor);
    } else {
      connections_.erase(descriptor);
      --counters_.open;
    }
  }
  return true;
}

void ConnectionGuard::accepted(TimePoint now, int descriptor) {
  Connection& connection = connections_[descriptor];
  const std::uint64_t cookie = cookie_of(descriptor);
  if (connection.cookie != cookie) connection = {};  // what was heard was of an earlier one
  connection.cookie = cookie;
  connection.is_open = true;
  connection.came = now;
  ++counters_.accepted;
  if (++counters_.open <= connections_max_) return;
  ++counters_.refused;
  refused_last_ = now;
  end(descriptor, connection);
}

/// If ZeroMQ has closed it meanwhile, something else may have its descriptor.
void ConnectionGuard::end(int descriptor, Connection& connection) {
  connection.is_ended = true;
  if (connection.cookie == 0 || cookie_of(descriptor) != connection.cookie) return;
  // With a reset: one that waits until it may send more would not hear of an orderly end.
  const linger at_once{1, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  ::shutdown(descriptor, SHUT_RDWR);
}

void ConnectionGuard::look_at_all(TimePoint now) {
  const std::lock_guard lock(mutex_);
  for (auto& [descriptor, each] : connections_) {
    if (!each.is_open || each.is_ended) continue;
    if (each.messages == 0 && now - each.came > limits_.first_message_within) {
      ++counters_.silent;
      end(descriptor, each);
      continue;
    }
    const std::uint64_t bytes = bytes_arrived(descriptor);
    if (each.messages != each.messages_seen || bytes < each.bytes_seen) {
      each.messages_seen = each.messages;
      each.bytes_seen = bytes;
    } else if (bytes - each.bytes_seen > limits_.unfinished_bytes_max) {
      ++counters_.endless;
      end(descriptor, each);
    }
  }
}

void ConnectionGuard::report(TimePoint now) {
  const ConnectionCounters seen = counters();
  if (!is_full_ && seen.refused != reported_.refused) {
    is_full_ = true;
    limits_.log(
        fmt::format("there are {} connections, as many as may be (this process may have {} "
                    "files open: 'ulimit -n'): more are refused",
                    connections_max_, files_.limit));
  } else if (is_full_ && seen.open < connections_max_ && now - refused_last_ > quiet_for) {
    is_full_ = false;
    limits_.log(fmt::format("there is room for connections again; {} were refused",
                            seen.refused - reported_.refused));
    reported_.refused = seen.refused;
  }
  const std::uint64_t silent = seen.silent - reported_.silent;
  const std::uint64_t endless = seen.endless - reported_.endless;
  if (silent + endless == 0 || now < report_at_) return;
  report_at_ = now + report_every;
  limits_.log(
      fmt::format("connections were ended: {} that said nothing for {}, {} whose message "
                  "had no end after {}",
                  silent, format_duration(limits_.first_message_within), endless,
                  format_bytes(limits_.unfinished_bytes_max)));
  reported_.silent = seen.silent;
  reported_.endless = seen.endless;
}

}  // namespace muster::transport
