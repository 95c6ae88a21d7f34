#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <muster/base/ids.hpp>
#include <muster/scheduling/job_spec.hpp>
#include <muster/wire/calls.hpp>
#include <muster/wire/sessions.hpp>

namespace muster::cluster {

/// A client's call, as the coordinator keeps it until it has ended.
struct CallRecord {
  std::uint64_t number = 0;  ///< the client's
  std::string bytes;
  std::optional<wire::CallOptions> options;
  /// What the last attempt that failed has said.
  wire::EndKind last_kind = wire::EndKind::worker_lost;
  std::string last_text;
  std::optional<AttemptId> attempt = std::nullopt;  ///< that runs it just now
  bool has_started = false;                         ///< that attempt has said so
  bool is_unwanted = false;                         ///< unless it has started
};

/// The calls of a client that are run by the same rules: chunks of one job, which is a stream.
struct CallStream {
  wire::SessionId client;
  wire::Digest program{};
  scheduling::JobSpec spec;
  scheduling::JobRank rank;
  std::unordered_map<std::uint32_t, CallRecord> records;  ///< of those that have not ended
  std::uint32_t chunks = 0;                               ///< so many have been added
};

/// Where a call is.
struct CallPlace {
  JobId job;
  std::uint32_t chunk = 0;
};

/// Which calls there are, whose, and which chunks they are for the scheduler. Takes constant time
/// and a few hundred bytes for each call. Not thread-safe.
class CallBook {
 public:
  /// What became of a new call's stream.
  struct Added {
    CallPlace place;
    bool is_new_stream = false;        ///< it has to be submitted,
    std::optional<JobId> full_stream;  ///< and this one to be sealed
  };

  void add_client(wire::SessionId client) { clients_.try_emplace(client); }
  /// Its streams, which are forgotten.
  std::vector<JobId> remove_client(wire::SessionId client);
  const auto& clients() const noexcept { return clients_; }

  /// Nothing if the client has a call of that number already.
  std::optional<Added> add(wire::SessionId client, const wire::Digest& program, wire::Call&& call);
  std::optional<CallPlace> find(wire::SessionId client, std::uint64_t number) const;

  CallStream* stream(JobId job);
  /// Null if it has ended.
  CallRecord* record(const CallPlace& place);
  /// The call has ended; gives its number.
  std::uint64_t end(const CallPlace& place);
  /// A stream that has nothing to do and takes no more calls from now on, if the client has many.
  std::optional<JobId> retire_idle_stream(JobId job);
  void forget_stream(JobId job);

  std::size_t open_calls() const noexcept { return open_; }
  std::size_t stream_count() const noexcept { return streams_.size(); }

 private:
  /// What a call is run by.
  struct Rules {
    wire::Digest program{};
    std::int32_t priority = 0;
    std::uint32_t process_retries = 0;
    std::uint32_t memory_retries = 0;
    std::uint32_t worker_retries = 0;

    friend auto operator<=>(const Rules&, const Rules&) = default;
  };
  struct Client {
    std::map<Rules, JobId> streams;  ///< those that take calls
    std::unordered_map<std::uint64_t, CallPlace> places;
    std::vector<JobId> all_streams;
  };

  static Rules rules_of(const wire::Digest& program, const wire::Call& call);
  JobId begin_stream(wire::SessionId client, const Rules& rules);

  std::map<wire::SessionId, Client> clients_;
  std::unordered_map<JobId, CallStream> streams_;
  std::uint64_t last_job_ = std::uint64_t{1} << 48U;  ///< the journal numbers jobs from 1 on
  std::size_t open_ = 0;
};

}  // namespace muster::cluster
