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
            .sandbox = "seccomp",
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
      CodeOffered{5, digest},
      SubmitJob{1, 99, "wordcount", "plan", digest, 3, "/out", "", true},
      JobAnswer{1, true, 2, 0, "no", "because"},
      AskJob{2, AskJob::What::log, 7, 100, 55},
      JobStates{3,
                {{.job = 7,
                  .name = "wordcount",
                  .task = "wordcount",
                  .phase = JobState::Phase::failed,
                  .stages = {{"map", 10, 3, 100, 30, 1, 5}},
                  .message = "it has failed",
                  .part_files = {{"/tmp/part", 1, 2, 3}}}}},
      JobLog{4, 101, {"a line", ""}},
      JobChunks{3, {{1, 70000, 2, "w1"}, {0, 0, 1, ""}}},
      AskWorkers{5, "node1"},
      WorkerRows{6, {{"node1", "host", "1.0", "open", 17, 4, 2, "off"}}, 8, 9},
      LiveJobs{{1, 7}},
      DataKeys{"public", "secret"},
      DataPlace{"tcp://node1:40001"},
      RunsWanted{7, 1, 2, {"run-1-2", "run-1-3"}},
      RunsIndex{8, {{"", {{8, 100, 3, 77}}}, {"it is gone", {}}}},
      RunBytesWanted{9, 1, {{"run-1-2", 8, 100}}},
      RunBytes{10, "", "bytes"},
  };
}

}  // namespace muster::wire::samples
