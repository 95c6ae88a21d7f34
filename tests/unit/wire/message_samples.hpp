#pragma once

#include <vector>

#include <muster/wire/message.hpp>

namespace muster::wire::samples {

/// One of each kind, with something in every field.
inline std::vector<Message> messages() {
  Digest digest{};
  digest.fill(0xab);
  return {
      Hello{.role = Role::worker,
            .instance = 7,
            .name = "w1",
            .host = "node1",
            .pid = 99,
            .version = "1.2.3",
            .room = WorkerRoom{4, 2, 1ULL << 33U},
            .data_address = "tcp://node1:7601",
            .resume = Resumption{3, 12}},
      Welcome{.session = 3, .received = 5, .heartbeat_ns = 1000, .lease_ns = 5000},
      Refusal{Refusal::Reason::ending, "it ends", "come later"},
      Goodbye{"done"},
      Heartbeat{7, {{1, 2, 3}, {4, 5, 6}}},
      Calls{digest, {{1, "bytes", std::nullopt}, {2, "", CallOptions{-3, 1000, true, 2, 1, 5}}}},
      Ends{{{1, EndKind::value, "12"}, {2, EndKind::refused, "no"}}},
      Withdrawals{{{1, Withdrawals::How::recall}, {2, Withdrawals::How::stop}}},
      Drain{"walltime"},
      Starts{{1, 5}},
      ClusterSize{3, 12},
      WorkerState{WorkerState::Kind::draining, "SIGUSR1"},
      CodeWanted{digest, 1U << 20U},
      CodePiece{digest, 3U << 20U, 1U << 20U, "bytes"},
      CodeMissing{digest, "not allowed"},
  };
}

}  // namespace muster::wire::samples
