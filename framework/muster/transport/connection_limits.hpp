#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <muster/base/clock.hpp>

namespace muster::transport {

/// What a listener puts up with from those who connect.
struct ConnectionLimits {
  /// At a time; the newest is refused. There may be fewer where the limit of open files
  /// (RLIMIT_NOFILE) leaves fewer: what is open when the listener is made is not for connections,
  /// nor is an eighth of the limit, at least 24.
  std::size_t connections_max = 16'384;
  /// Who has connected and says nothing for so long is put out.
  Duration first_message_within = std::chrono::seconds(6);
  /// So is whose message has so many bytes and still no end; over TCP only, and as seen at
  /// least once a second. More than a peer that keeps to its window (wire::ChannelOptions) can have
  /// under way.
  std::uint64_t unfinished_bytes_max = std::uint64_t{128} << 20U;
  /// Gets a line when connections begin to be refused, when there is room again, and, at most each
  /// 10 s, of those put out. Called by a thread of the listener's; must not throw.
  std::function<void(const std::string& line)> log = [](const auto&) {};
};

/// What a listener has seen of connections.
struct ConnectionCounters {
  std::uint64_t open = 0;      ///< now, those that are being ended among them
  std::uint64_t accepted = 0;  ///< in all
  std::uint64_t refused = 0;   ///< there were too many
  std::uint64_t silent = 0;    ///< put out: they said nothing
  std::uint64_t endless = 0;   ///< put out: their message had no end

  friend bool operator==(const ConnectionCounters&, const ConnectionCounters&) = default;
};

}  // namespace muster::transport
