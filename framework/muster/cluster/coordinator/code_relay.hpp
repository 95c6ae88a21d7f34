#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/cluster/code/code_store.hpp>
#include <muster/wire/code.hpp>
#include <muster/wire/sessions.hpp>

namespace muster::cluster {

/// Gets programs from clients, keeps them, and gives them to workers. Says what to send; not
/// thread-safe.
class CodeRelay {
 public:
  using Message = std::variant<wire::CodeWanted, wire::CodePiece, wire::CodeMissing>;
  using Sends = std::vector<std::pair<wire::SessionId, Message>>;

  /// The store must outlive it.
  explicit CodeRelay(CodeStore& store) : store_(store) {}

  void add_client(wire::SessionId client) { clients_.insert(client); }
  /// Downloads from it go on from another client, if one has the file.
  void remove_client(wire::SessionId client, Sends& out);
  void remove_worker(wire::SessionId worker);

  /// True if the file is here. False: it is asked for, of this client first.
  bool fetch(wire::SessionId client, const wire::Digest& digest, Sends& out);
  bool has(const wire::Digest& digest) { return store_.has(digest); }
  /// It has been asked for and may still come.
  bool is_awaited(const wire::Digest& digest) const { return searches_.contains(digest); }

  /// From a worker.
  void on(wire::SessionId worker, const wire::CodeWanted& wanted, Sends& out);
  /// From a client.
  void on(wire::SessionId client, const wire::CodePiece& piece, Sends& out);
  void on(wire::SessionId client, const wire::CodeMissing& missing, Sends& out);

  /// A client that gives nothing for so long is passed over.
  static constexpr Duration answer_within = std::chrono::seconds(10);
  /// Does what is due. Time counts from the first call after a question.
  void expire(TimePoint now, Sends& out);
  std::optional<TimePoint> next_deadline() const;

 private:
  struct Search {
    std::set<wire::SessionId> waiting;  ///< workers
    std::set<wire::SessionId> asked;    ///< clients that do not have it, or are just asked
    wire::SessionId source;             ///< who is just asked,
    std::optional<TimePoint> since{};   ///< and since when
  };

  void ask_next(const wire::Digest& digest, Sends& out);
  void answer(wire::SessionId worker, const wire::Digest& digest, std::uint64_t offset, Sends& out);
  void ask(wire::SessionId client, const wire::Digest& digest, Search& search, Sends& out);
  void give_up(const wire::Digest& digest, const std::string& reason, Sends& out);

  CodeStore& store_;
  std::set<wire::SessionId> clients_;
  std::map<wire::Digest, Search> searches_;
};

}  // namespace muster::cluster
