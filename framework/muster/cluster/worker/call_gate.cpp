#include <muster/cluster/worker/call_gate.hpp>

namespace muster::cluster {

CallGate::Ticket CallGate::hold(const wire::Digest& program, std::uint64_t call) {
  programs_[program].held.emplace(++tickets_, call);
  return tickets_;
}

void CallGate::drop(const wire::Digest& program, Ticket ticket) {
  const auto found = programs_.find(program);
  if (found != programs_.end()) found->second.held.erase(ticket);
}

std::size_t CallGate::counted() const {
  std::size_t out = 0;
  for (const auto& [digest, each] : programs_) out += each.counted();
  return out;
}

std::size_t CallGate::excess() const {
  const std::size_t inside = counted();
  return inside > slots_ ? inside - slots_ : 0;
}

bool CallGate::may_go_in(const Program& program) const {
  if (program.ended_soon >= short_in_a_row) return true;
  const std::size_t inside = counted();
  const bool is_alone = inside == program.inside;
  return is_alone || inside < slots_;
}

std::optional<CallGate::Next> CallGate::next(
    const std::function<bool(const wire::Digest&)>& is_ready) {
  blocked_.reset();
  const std::pair<const wire::Digest, Program>* oldest = nullptr;
  const auto is_older = [](const Program& a, const Program& b) {
    return a.held.begin()->first < b.held.begin()->first;
  };
  for (const auto& each : programs_) {
    if (each.second.held.empty() || !is_ready(each.first)) continue;
    if (each.second.ended_soon >= short_in_a_row) {  // it waits for nobody
      oldest = &each;
      break;
    }
    if (oldest == nullptr || is_older(each.second, oldest->second)) oldest = &each;
  }
  if (oldest == nullptr) return std::nullopt;
  if (!may_go_in(oldest->second)) {
    blocked_ = oldest->first;
    return std::nullopt;
  }
  Program& program = programs_.at(oldest->first);
  const Next out{oldest->first, program.held.begin()->second};
  program.held.erase(program.held.begin());
  ++program.inside;
  return out;
}

void CallGate::runs_on(const wire::Digest& program) {
  const auto found = programs_.find(program);
  if (found != programs_.end()) found->second.ended_soon = 0;
}

void CallGate::left(const wire::Digest& program, bool soon) {
  const auto found = programs_.find(program);
  if (found == programs_.end() || found->second.inside == 0) return;
  --found->second.inside;
  if (soon && found->second.ended_soon < short_in_a_row) ++found->second.ended_soon;
}

void CallGate::clear() {
  for (auto& [digest, program] : programs_) {
    program.inside = 0;
    program.held.clear();
  }
  blocked_.reset();
}

void CallGate::forget(const wire::Digest& program) { programs_.erase(program); }

bool CallGate::has_short_calls(const wire::Digest& program) const {
  const auto found = programs_.find(program);
  return found != programs_.end() && found->second.ended_soon >= short_in_a_row;
}

}  // namespace muster::cluster
