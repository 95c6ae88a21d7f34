#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include <muster/wire/code.hpp>

namespace muster::cluster {

/// Which calls of a worker may be with the task processes of their programs. Each program has
/// processes of its own, as many as the worker has slots, but together they are to run no more
/// calls than that. So a program that is alone gets all its calls at once, to have the next one at
/// hand where one ends; of several, each call waits for a slot, the oldest first.
///
/// Programs whose calls end as soon as they begin get theirs at once, and are not counted.
/// Rationale: to wait for each would take longer than to run it, and a CPU that is shared for so
/// short a time hurts nobody. Not thread-safe.
class CallGate {
 public:
  using Ticket = std::uint64_t;
  struct Next {
    wire::Digest program{};
    std::uint64_t call = 0;
  };

  explicit CallGate(unsigned slots) : slots_(slots) {}

  /// A call that has come: it is held.
  Ticket hold(const wire::Digest& program, std::uint64_t call);
  /// It is not held any more.
  void drop(const wire::Digest& program, Ticket ticket);
  /// The oldest that may go in, which it then is. Those of programs that are not ready are passed
  /// over.
  std::optional<Next> next(const std::function<bool(const wire::Digest&)>& is_ready);
  /// One that went in has been running for a while,
  void runs_on(const wire::Digest& program);
  /// or has ended; `soon`: before that.
  void left(const wire::Digest& program, bool soon);
  /// Nothing is held or inside any more.
  void clear();
  void forget(const wire::Digest& program);

  /// The program of the call that next() would have given if there were a slot.
  const std::optional<wire::Digest>& blocked() const noexcept { return blocked_; }
  /// So many calls are inside that none is to run yet.
  std::size_t excess() const;
  bool has_short_calls(const wire::Digest& program) const;

 private:
  static constexpr unsigned short_in_a_row = 16;

  struct Program {
    std::size_t inside = 0;
    unsigned ended_soon = 0;  ///< so many, one after the other
    std::map<Ticket, std::uint64_t> held = {};

    std::size_t counted() const { return ended_soon < short_in_a_row ? inside : 0; }
  };

  std::size_t counted() const;
  bool may_go_in(const Program& program) const;

  unsigned slots_;
  Ticket tickets_ = 0;
  std::map<wire::Digest, Program> programs_;
  std::optional<wire::Digest> blocked_;
};

}  // namespace muster::cluster
