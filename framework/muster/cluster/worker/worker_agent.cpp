#include <algorithm>
#include <csignal>
#include <iterator>
#include <random>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/memory.hpp>
#include <muster/base/version.hpp>
#include <muster/cluster/local_host.hpp>
#include <muster/cluster/task_death.hpp>
#include <muster/cluster/worker/worker_agent.hpp>

namespace muster::cluster {
namespace {

constexpr unsigned ahead_a_slot = 128;

// Calls that take longer are worth a word: until then a client may take them for not started.
constexpr Duration starts_after = std::chrono::milliseconds(2);
// A program that nobody has called for so long is ended; its files stay.
constexpr Duration program_idle_max = std::chrono::minutes(1);
// Other workers are believed to be there for longer than the coordinator would: what they have need
// not be made again if it can be had in the end.
constexpr int leases_of_patience = 2;
// How often a program that is being started is looked at.
constexpr Duration start_poll = std::chrono::milliseconds(2);
// How often the disk is looked at.
constexpr Duration look_at_disk_every = std::chrono::seconds(2);
// Signals that were sent together arrive within this.
constexpr Duration terminated_together = std::chrono::milliseconds(200);

/// What a job may use of each slot.
std::uint64_t memory_of_slot(const WorkerOptions& options) {
  const std::uint64_t all = options.memory_bytes != 0 ? options.memory_bytes : usable_memory() / 2;
  return all / options.slots;
}

bool was_terminated(const wire::CallEnd& end) {
  return end.kind == wire::EndKind::killed && decode_death(end.bytes).signal == SIGTERM;
}

}  // namespace

wire::Hello WorkerAgent::hello_of(const WorkerOptions& options) {
  wire::Hello hello = hello_of_this_process();
  hello.role = wire::Role::worker;
  hello.name = options.name;
  hello.room =
      wire::WorkerRoom{options.slots,
                       std::min(options.ahead != 0 ? options.ahead : options.slots * ahead_a_slot,
                                wire::worker_slots_max),
                       0};
  return hello;
}

WorkerAgent::WorkerAgent(WorkerOptions options, transport::Dialer& dialer,
                         std::filesystem::path code_directory)
    : options_(std::move(options)),
      store_(std::move(code_directory)),
      link_(hello_of(options_), options_.link, std::random_device()()),
      runner_(dialer, link_, *this),
      jobs_(options_.scratch),
      disk_(jobs_.path(), options_.least_free) {
  options_.programs.slots = options_.slots;
  options_.programs.job_place.jobs = jobs_.path();
  options_.programs.job_place.memory_bytes = memory_of_slot(options_);
  options_.programs.job_place.least_free = options_.least_free;
}

WorkerAgent::~WorkerAgent() = default;

void WorkerAgent::run() {
  if (options_.lifetime) drain_at_ = deadline_after(Clock::now(), *options_.lifetime);
  runner_.run();
  programs_.clear();
  open_.clear();
  if (!refused_) return;
  throw Error(ErrorCode::usage, "the coordinator does not take this worker: " + refused_->message,
              refused_->hint);
}

void WorkerAgent::stop() noexcept {
  stops_.fetch_add(1);
  runner_.wake();
}

void WorkerAgent::ended(std::uint64_t generation, wire::CallEnd&& end) noexcept {
  {
    const std::lock_guard lock(ends_mutex_);
    new_ends_.emplace_back(generation, std::move(end));
    if (new_ends_.size() != 1) return;  // it is awake already, or will see these with the first
  }
  runner_.wake();
}

void WorkerAgent::on_session(TimePoint now) {
  options_.log(fmt::format("worker '{}' has joined", options_.name));
  options_.programs.job_place.patience = leases_of_patience * link_.lease();
  ++generation_;
  end_all(wire::EndKind::returned);
  open_.clear();
  for (const auto& [program, count] : open_counts_) idle_since_[program] = now;
  open_counts_.clear();
  ends_.clear();
  terminated_.clear();
  starts_.clear();
  for (auto& [digest, asked] : wanted_) asked = false;
  using Kind = wire::WorkerState::Kind;
  if (draining_) {
    state_ = wire::WorkerState{Kind::draining, "it ends"};
  } else if (!paused_.empty()) {
    state_ = wire::WorkerState{Kind::paused, paused_};
  }
}

void WorkerAgent::on_refused(const wire::Refusal& refusal, bool for_good) {
  options_.log(fmt::format("the coordinator refuses: {}{}", refusal.message,
                           refusal.hint.empty() ? "" : " (" + refusal.hint + ")"));
  if (for_good) refused_ = refusal;
}

void WorkerAgent::on_trouble(const std::string& trouble) { options_.log(trouble); }

void WorkerAgent::on_lease_over(TimePoint /*now*/) {
  options_.log("the coordinator was not heard of for too long: what runs is stopped");
  end_all(wire::EndKind::worker_lost);
}

/// With how far calls are that are known to run.
wire::Heartbeat WorkerAgent::heartbeat() {
  wire::Heartbeat beat;
  for (const auto& [number, call] : open_) {
    if (!call.start_is_known || beat.running.size() == wire::items_max) continue;
    const auto found = programs_.find(call.program);
    if (found == programs_.end()) continue;
    if (const auto seen = found->second->progress(*call.task))
      beat.running.push_back({number, seen->position, seen->progress});
  }
  return beat;
}

void WorkerAgent::end_all(wire::EndKind kind) {
  for (auto& [number, call] : open_) {
    const auto found = programs_.find(call.program);
    if (found != programs_.end()) found->second->withdraw(*call.task, kind, true);
  }
}

void WorkerAgent::on_message(TimePoint now, wire::Message&& message) {
  if (auto* const calls = std::get_if<wire::Calls>(&message)) {
    take_calls(now, std::move(*calls));
  } else if (const auto* withdrawals = std::get_if<wire::Withdrawals>(&message)) {
    withdraw(*withdrawals);
  } else if (const auto* piece = std::get_if<wire::CodePiece>(&message)) {
    take_piece(now, *piece);
  } else if (const auto* missing = std::get_if<wire::CodeMissing>(&message)) {
    wanted_.erase(missing->digest);
    for (auto& [digest, program] : programs_) {
      const auto files = program->missing_files();
      if (std::find(files.begin(), files.end(), missing->digest) != files.end())
        program->file_is_missing(missing->reason);
    }
  } else if (const auto* order = std::get_if<wire::Drain>(&message)) {
    drain(order->reason);
  } else if (const auto* keys = std::get_if<wire::DataKeys>(&message)) {
    open_data_place(*keys);
  } else if (const auto* live = std::get_if<wire::LiveJobs>(&message)) {
    keep_only(*live);
    if (run_server_ != nullptr) run_server_->close_files();
  }
}

void WorkerAgent::open_data_place(const wire::DataKeys& keys) {
  const transport::CurveKeyPair pair{keys.public_key, keys.secret_key};
  transport::CurveKeyPair& known = options_.programs.job_place.data_keys;
  if (run_server_ == nullptr || known.public_key != pair.public_key) {
    known = pair;
    run_server_ = nullptr;  // before there is another one
    run_server_ = std::make_unique<RunServer>(jobs_.path(), options_.data_host, pair);
    options_.programs.job_place.address = run_server_->address();
  }
  tell_data_place_ = true;
}

void WorkerAgent::keep_only(const wire::LiveJobs& live) const {
  std::error_code gone;
  const std::filesystem::directory_iterator entries(jobs_.path(), gone);
  for (const auto& each : entries) {
    const std::string name = each.path().filename().string();
    const bool is_live = std::any_of(live.jobs.begin(), live.jobs.end(), [&](std::uint64_t job) {
      return name == std::to_string(job);
    });
    std::error_code in_use;  // whoever still writes there is being stopped; all goes at the end
    const bool is_of_a_job = each.is_directory(in_use);
    if (!is_live && is_of_a_job) std::filesystem::remove_all(each.path(), in_use);
  }
}

Program& WorkerAgent::program(TimePoint now, const wire::Digest& digest, wire::CodeKind kind) {
  std::unique_ptr<Program>& place = programs_[digest];
  if (place != nullptr && !place->is_over(now)) return *place;
  place.reset();  // before there is another one
  place = std::make_unique<Program>(digest, kind, options_.programs, store_, *this);
  place->advance(now);
  for (const wire::Digest& each : place->missing_files()) wanted_.try_emplace(each, false);
  return *place;
}

void WorkerAgent::take_calls(TimePoint now, wire::Calls&& calls) {
  Program& of = program(now, calls.program, calls.kind);
  for (wire::Call& each : calls.calls) {
    const std::uint64_t number = each.number;
    if (draining_) {
      ends_.push_back({number, wire::EndKind::returned, {}});
      continue;
    }
    OpenCall& call = open_[number];
    call.program = calls.program;
    call.since = now;
    note_open(now, calls.program, true);
    call.task = of.submit(std::move(each), generation_);
  }
  if (!look_again_at_ && !open_.empty()) look_again_at_ = now + starts_after;
}

/// False if the call runs, or has ended and its end is on the way.
bool WorkerAgent::withdraw_unstarted(const wire::Withdrawals::Withdrawal& withdrawal) {
  const auto found = open_.find(withdrawal.number);
  if (found == open_.end()) return false;
  const auto program = programs_.find(found->second.program);
  const bool is_recall = withdrawal.how == wire::Withdrawals::How::recall;
  const auto kind = is_recall ? wire::EndKind::returned : wire::EndKind::cancelled;
  return program != programs_.end() && program->second->withdraw(*found->second.task, kind, false);
}

// First those that have not started: the end of one that runs would let them.
void WorkerAgent::withdraw(const wire::Withdrawals& withdrawals) {
  using How = wire::Withdrawals::How;
  std::vector<wire::Withdrawals::Withdrawal> running;
  for (const auto& each : withdrawals.withdrawals) {
    if (!withdraw_unstarted(each)) running.push_back(each);
  }
  for (const auto& each : running) {
    const auto found = open_.find(each.number);
    if (found == open_.end()) continue;
    const auto program = programs_.find(found->second.program);
    if (program == programs_.end()) continue;
    OpenCall& call = found->second;
    if (each.how == How::stop) {
      program->second->withdraw(*call.task, wire::EndKind::cancelled, true);
    } else if (each.how == How::ask) {
      program->second->ask_to_stop(*call.task);
    } else if (program->second->has_started(*call.task)) {
      call.start_is_known = true;
      starts_.push_back(each.number);  // whoever wants it back waits for an answer
    }
  }
}

void WorkerAgent::take_piece(TimePoint now, const wire::CodePiece& piece) {
  const auto wanted = wanted_.find(piece.digest);
  if (wanted == wanted_.end()) return;
  try {
    const DownloadStep step = store_.add(piece);
    if (!step.is_complete) {
      wanted->second = false;  // the next piece
      return;
    }
    wanted_.erase(wanted);
    advance_programs(now);
  } catch (const Error& error) {
    options_.log(fmt::format("a program could not be stored: {}", error.what()));
    wanted_.erase(piece.digest);
    for (auto& [digest, program] : programs_) {
      const auto files = program->missing_files();
      if (std::find(files.begin(), files.end(), piece.digest) != files.end())
        program->file_is_missing(error.what());
    }
  }
}

void WorkerAgent::advance_programs(TimePoint now) {
  for (auto& [digest, program] : programs_) {
    program->advance(now);
    for (const wire::Digest& each : program->missing_files()) wanted_.try_emplace(each, false);
  }
}

void WorkerAgent::drain(const std::string& reason) {
  if (draining_) return;
  draining_ = true;
  state_ = wire::WorkerState{wire::WorkerState::Kind::draining, reason};
  for (auto& [number, call] : open_) {
    const auto found = programs_.find(call.program);
    if (found != programs_.end())
      found->second->withdraw(*call.task, wire::EndKind::returned, false);
  }
}

/// A full disk is nobody's fault: the worker takes nothing until there is room again.
void WorkerAgent::look_at_disk(TimePoint now) {
  look_at_disk_ = now + look_at_disk_every;
  const std::string problem = disk_.look();
  if (draining_ || problem.empty() == paused_.empty()) return;
  paused_ = problem;
  using Kind = wire::WorkerState::Kind;
  state_ = wire::WorkerState{problem.empty() ? Kind::open : Kind::paused, problem};
  options_.log(problem.empty() ? "there is room again: it goes on" : problem + "; it pauses");
}

void WorkerAgent::on_round(TimePoint now) {
  if (look_at_disk_ <= now) look_at_disk(now);
  const int stops = stops_.load();
  if (stops != std::exchange(stops_seen_, stops)) {
    if (stops > 1) end_all(wire::EndKind::worker_lost);
    drain("it was told to stop");
  }
  if (drain_at_ && *drain_at_ <= now) {
    drain_at_.reset();
    drain("its lifetime is over");
  }
  const bool any_starts = std::any_of(programs_.begin(), programs_.end(),
                                      [](const auto& each) { return each.second->is_starting(); });
  if (any_starts) advance_programs(now);
  collect_ends(now);
  end_idle_programs(now);
  if (state_ && runner_.can_send()) {
    runner_.send(*state_);
    state_.reset();
  }
  if (tell_data_place_ && runner_.can_send()) {
    runner_.send(wire::DataPlace{run_server_->address()});
    tell_data_place_ = false;
  }
  send_wanted();
  send_ends();
  if (look_again_at_ && *look_again_at_ <= now) look_for_starts(now);
  if (!starts_.empty() && runner_.can_send())
    runner_.send(wire::Starts{std::exchange(starts_, {})});
  leave_if_done(now);
}

void WorkerAgent::note_open(TimePoint now, const wire::Digest& program, bool has_begun) {
  if (has_begun) {
    ++open_counts_[program];
    idle_since_.erase(program);
    return;
  }
  const auto found = open_counts_.find(program);
  if (found == open_counts_.end() || --found->second != 0) return;
  open_counts_.erase(found);
  idle_since_[program] = now;
}

void WorkerAgent::end_idle_programs(TimePoint now) {
  std::erase_if(idle_since_, [&](const auto& each) {
    if (each.second + program_idle_max > now) return false;
    programs_.erase(each.first);
    return true;
  });
}

bool WorkerAgent::had_no_room(const wire::Digest& program, const wire::CallEnd& end) const {
  const auto found = programs_.find(program);
  return end.kind == wire::EndKind::value && found != programs_.end() &&
         found->second->is_plugin() && says_no_room(end.bytes);
}

void WorkerAgent::collect_ends(TimePoint now) {
  std::vector<std::pair<std::uint64_t, wire::CallEnd>> taken;
  {
    const std::lock_guard lock(ends_mutex_);
    taken.swap(new_ends_);
  }
  for (auto& [generation, end] : taken) {
    if (generation != generation_) continue;
    if (const auto found = open_.find(end.number); found != open_.end()) {
      if (had_no_room(found->second.program, end)) {
        look_at_disk(now);  // so that it is not the next one to get it
        if (!paused_.empty()) end = {end.number, wire::EndKind::returned, {}};
      }
      note_open(now, found->second.program, false);
      open_.erase(found);
    }
    if (was_terminated(end)) {
      terminated_.emplace_back(now + terminated_together, std::move(end));
    } else {
      ends_.push_back(std::move(end));
    }
  }
  judge_terminated(now);
}

// An engine that ends a worker (scancel, the end of its walltime) sends SIGTERM to all its
// processes: those calls have lost their worker, and may run elsewhere.
void WorkerAgent::judge_terminated(TimePoint now) {
  while (!terminated_.empty() && (draining_ || terminated_.front().first <= now)) {
    wire::CallEnd end = std::move(terminated_.front().second);
    terminated_.pop_front();
    if (draining_) end = {end.number, wire::EndKind::worker_lost, "it was told to stop"};
    ends_.push_back(std::move(end));
  }
}

void WorkerAgent::send_ends() {
  while (!ends_.empty() && runner_.can_send()) {
    wire::Ends message;
    std::size_t bytes = 0;
    while (!ends_.empty() && message.ends.size() < wire::items_max &&
           (message.ends.empty() ||
            bytes + ends_.front().bytes.size() <= wire::message_bytes_enough)) {
      bytes += ends_.front().bytes.size();
      message.ends.push_back(std::move(ends_.front()));
      ends_.pop_front();
    }
    runner_.send(message);
  }
}

void WorkerAgent::look_for_starts(TimePoint now) {
  bool any_unknown = false;
  for (auto& [number, call] : open_) {
    if (call.start_is_known) continue;
    any_unknown = true;
    if (call.since + starts_after > now) continue;
    if (!programs_.at(call.program)->has_started(*call.task)) continue;
    call.start_is_known = true;
    starts_.push_back(number);
  }
  look_again_at_.reset();
  if (any_unknown) look_again_at_ = now + starts_after;
}

void WorkerAgent::send_wanted() {
  for (auto& [digest, asked] : wanted_) {
    if (asked || !runner_.can_send()) continue;
    runner_.send(wire::CodeWanted{digest, store_.next_offset(digest)});
    asked = true;
  }
}

void WorkerAgent::leave_if_done(TimePoint now) {
  if (!draining_ || leaving_ || !open_.empty()) return;
  // When the lease is over nobody waits for what is left to say.
  const std::optional<TimePoint> lease_end = link_.lease_end();
  const bool is_awaited = lease_end && now < *lease_end;
  if (is_awaited && (!ends_.empty() || !terminated_.empty() || state_)) return;
  leaving_ = true;
  options_.log(fmt::format("worker '{}' leaves", options_.name));
  runner_.end("it has drained");
}

std::optional<TimePoint> WorkerAgent::next_deadline() {
  std::optional<TimePoint> next = look_at_disk_;
  if (look_again_at_) next = std::min(*next, *look_again_at_);
  if (!terminated_.empty())
    next = std::min(next.value_or(TimePoint::max()), terminated_.front().first);
  if (drain_at_) next = std::min(next.value_or(TimePoint::max()), *drain_at_);
  for (const auto& [program, since] : idle_since_)
    next = std::min(next.value_or(TimePoint::max()), since + program_idle_max);
  for (const auto& [digest, program] : programs_) {
    if (program->is_starting())
      next = std::min(next.value_or(TimePoint::max()), Clock::now() + start_poll);
  }
  return next;
}

}  // namespace muster::cluster
