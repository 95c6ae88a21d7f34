#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <muster/base/random.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cluster/coordinator/coordinator_core.hpp>
#include <muster/wire/link.hpp>

namespace muster::simulation {

/// Where a coordinator is killed within a round.
enum class Moment : std::uint8_t { before_commit, before_sending, after_sending };

/// What is to go wrong.
struct LivesPlan {
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> crash_at;  ///< one crash, at that round
  Moment moment = Moment::before_commit;  ///< of that one
  double crash_rate = 0;                  ///< of rounds, besides
  std::uint64_t crashes_max = 5;
  double stale_rate = 0;        ///< of frames on the way at a crash that arrive after it
  double cut_rate = 0;          ///< of steps at which a connection breaks
  bool says_too_early = false;  ///< a planted bug: before it is in the journal
};

struct LivesReport {
  std::vector<std::string> violations;
  std::uint64_t rounds = 0;
  std::uint64_t crashes = 0;
  std::uint64_t stale_sent = 0;
  std::uint64_t stale_refused = 0;
  std::uint64_t cuts = 0;
  std::uint64_t calls = 0;  ///< that workers got
};

/// A coordinator of several lives with the links of workers and of a client that submits a job and
/// follows it, on a virtual clock, with its journal. It is killed at any point of a round, frames
/// of an earlier life arrive in a later one, on old connections and on new ones. All chance comes
/// from the seed.
///
///  - a job that was acknowledged is there in each life, under its number
///  - a chunk that the client was told of never runs again, since no worker is ever gone for good
///  - the job ends, succeeds, and counts each record once
class Lives {
 public:
  explicit Lives(const LivesPlan& plan);
  ~Lives();
  LivesReport run();

 private:
  using Chunk = std::pair<std::uint32_t, std::uint32_t>;  // stage and number

  struct End {
    wire::Link link;
    bool is_client = false;
    std::string address;
    std::uint64_t peer = 0;  ///< its connection; 0: none
    bool connecting = false;
    std::deque<wire::SharedFrame> up = {};
    std::deque<wire::SharedFrame> down = {};
    std::deque<wire::Call> calls = {};
    std::set<std::string> outputs = {};  ///< runs that it keeps
  };
  struct Stale {
    std::size_t end;
    std::uint64_t peer;
    wire::SharedFrame frame;
  };

  void add_end(wire::Role role, const std::string& name);
  void begin_life();
  void crash();
  bool dies_at(Moment moment) const { return dies_ == moment; }
  void deliver(cluster::CoordinatorCore::Frames&& frames);
  void read_one(End& end);
  bool step();
  void advance();
  template <class Tell>
  void round(Tell tell);

  void pass_on(End& end, wire::LinkOutput& out);
  void on_session(End& end);
  void on_message(End& end, wire::Message&& message);
  void on_calls(End& end, wire::Calls&& calls);
  void on_withdrawals(End& end, const wire::Withdrawals& withdrawals);
  void work(End& end);
  Bytes run_map(End& end, std::uint64_t job, std::string_view request) const;
  std::optional<Bytes> run_reduce(const cluster::JobCall& call) const;
  template <class M>
  void send(End& end, const M& message);
  void cut(End& end);
  void expect(bool condition, const std::string& what);
  void check_end(const wire::JobState& state);

  LivesPlan plan_;
  Random random_;
  TempDir directory_;
  TimePoint now_{std::chrono::hours(1)};
  cluster::CodeStore store_;
  std::optional<cluster::Journal> journal_;
  std::unique_ptr<cluster::CoordinatorCore> core_;
  std::uint64_t epoch_ = 0;
  std::uint64_t last_peer_ = 0;
  std::vector<std::unique_ptr<End>> ends_;
  std::deque<Stale> stale_;
  std::optional<Moment> dies_;
  std::optional<std::uint64_t> job_;  ///< as acknowledged
  std::set<Chunk> told_;              ///< to the client, as ended
  bool has_ended_ = false;
  LivesReport report_;
};

}  // namespace muster::simulation
