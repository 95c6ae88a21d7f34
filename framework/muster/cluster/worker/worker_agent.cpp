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
#include <muster/base/units.hpp>
#include <muster/base/version.hpp>
#include <muster/cluster/local_host.hpp>
#include <muster/cluster/task_death.hpp>
#include <muster/cluster/worker/worker_agent.hpp>
#include <muster/executors/init.hpp>
#include <muster/executors/processes/zygote_link.hpp>

namespace muster::cluster {
namespace {

constexpr unsigned ahead_a_slot = 128;

// A program that nobody has called for so long is ended; its files stay.
constexpr Duration program_idle_max = std::chrono::minutes(1);
// Other workers are believed to be there for longer than the coordinator would: what they have need
// not be made again if it can be had in the end.
constexpr int leases_of_patience = 2;
// How often a program that is being started is looked at.
constexpr Duration start_poll = std::chrono::milliseconds(2);
// How often the disk is looked at.
constexpr Duration look_at_disk_every = std::chrono::seconds(2);
constexpr Duration look_at_memory_every = std::chrono::milliseconds(250);

/// What a job may use of each slot.
std::uint64_t memory_of_slot(const WorkerOptions& options) {
  const std::uint64_t all = options.memory_bytes != 0 ? options.memory_bytes : usable_memory() / 2;
  return all / options.slots;
}

}  // namespace

wire::Hello WorkerAgent::hello_of(const WorkerOptions& options) {
  wire::Hello hello = hello_of_this_process();
  hello.role = wire::Role::worker;
  hello.name = options.name;
  hello.sandbox = options.sandbox;
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
      gate_(options_.slots),
      disk_(jobs_.path(), options_.least_free),
      memory_(options_.memory_bytes_max != 0 ? options_.memory_bytes_max
                                             : usable_memory() / 20 * 19),
      has_zygote_(is_initialized()) {
  options_.programs.slots = options_.slots;
  options_.programs.scratch = options_.scratch;
  options_.programs.job_place.sandbox = options_.programs.sandbox;
  options_.programs.job_place.jobs = jobs_.path();
  options_.programs.job_place.memory_bytes = memory_of_slot(options_);
  options_.programs.job_place.least_free = options_.least_free;
}

WorkerAgent::~WorkerAgent() = default;

void WorkerAgent::run() {
  if (options_.lifetime) drain_at_ = deadline_after(Clock::now(), *options_.lifetime);
  runner_.run();
  for (auto& [number, call] : open_) end_unstarted(call, wire::EndKind::worker_lost);
  programs_.clear();
  open_.clear();
  if (zygote_is_gone_) {
    throw Error(ErrorCode::broken,
                "the process that makes task processes (muster-zygote) has died, and no other can "
                "be made by a program with threads",
                "start the worker again");
  }
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
  gate_.clear();
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

void WorkerAgent::on_trouble(const std::string& trouble, const std::string& hint) {
  options_.log(hint.empty() ? trouble : fmt::format("{}; hint: {}", trouble, hint));
}

void WorkerAgent::on_lease_over(TimePoint /*now*/) {
  options_.log("the coordinator was not heard of for too long: what runs is stopped");
  end_all(wire::EndKind::worker_lost);
}

/// With how far calls are that are known to run.
wire::Heartbeat WorkerAgent::heartbeat() {
  wire::Heartbeat beat;
  for (const auto& [number, call] : open_) {
    if (!call.start_is_known || beat.running.size() == wire::items_max) continue;
    Program* const program = program_running(call);
    if (program == nullptr) continue;
    if (const auto seen = program->progress(*call.task))
      beat.running.push_back({number, seen->position, seen->progress});
  }
  return beat;
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
  }
}

void WorkerAgent::open_data_place(const wire::DataKeys& keys) {
  const transport::CurveKeyPair pair{keys.public_key, keys.secret_key};
  transport::CurveKeyPair& known = options_.programs.job_place.data_keys;
  if (run_server_ == nullptr || known.public_key != pair.public_key) {
    known = pair;
    run_server_ = nullptr;  // before there is another one
    run_server_ = std::make_unique<RunServer>(jobs_.path(), options_.data_host(), pair);
    options_.programs.job_place.address = run_server_->address();
  }
  tell_data_place_ = true;
}

void WorkerAgent::keep_only(const wire::LiveJobs& live) {
  try {
    jobs_.keep_only(live);
  } catch (const Error& error) {
    options_.log(fmt::format("files of ended jobs are not removed yet: {}", error.what()));
  }
  if (run_server_ != nullptr) run_server_->close_files();
}

Program& WorkerAgent::program(TimePoint now, const wire::Digest& digest, wire::CodeKind kind) {
  std::unique_ptr<Program>& place = programs_[digest];
  if (place == nullptr || place->is_over(now)) {
    for (auto& [number, call] : open_) {  // what waited for the one that is over ends with it
      if (call.program == digest) end_unstarted(call, wire::EndKind::returned);
    }
    place.reset();  // before there is another one
    place = std::make_unique<Program>(digest, kind, options_.programs, store_, *this);
  }
  place->advance(now);  // also of one that runs: a plugin's file may have changed
  for (const wire::Digest& each : place->missing_files()) wanted_.try_emplace(each, false);
  return *place;
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
  for (auto& [number, call] : open_) end_unstarted(call, wire::EndKind::returned);
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

/// Without it jobs would fail here one after the other.
void WorkerAgent::look_at_zygote() {
  if (!has_zygote_ || zygote_is_gone_ || detail::own_zygote_lives()) return;
  zygote_is_gone_ = true;
  options_.log("the process that makes task processes (muster-zygote) has died: this worker ends");
  drain("its zygote has died");
}

/// The task that takes most of what is too much ends; the kernel might end any of them, or us.
void WorkerAgent::look_at_memory(TimePoint now) {
  look_at_memory_ = now + look_at_memory_every;
  std::map<pid_t, Program*> programs;
  std::vector<pid_t> processes;
  for (const auto& [digest, program] : programs_) {
    for (const pid_t each : program->task_processes()) {
      programs.emplace(each, program.get());
      processes.push_back(each);
    }
  }
  const auto found = memory_.look(now, processes);
  if (!found) return;
  options_.log(
      fmt::format("all task processes together take {}, more than {} (--memory-max): process {} is "
                  "ended, which takes {}",
                  format_bytes(found->bytes), format_bytes(memory_.bytes_max()), found->largest,
                  format_bytes(found->largest_bytes)));
  programs.at(found->largest)->end_for_memory(found->largest);
}

void WorkerAgent::on_round(TimePoint now) {
  if (look_at_disk_ <= now) {
    look_at_disk(now);
    look_at_zygote();
  }
  if (look_at_memory_ <= now && !open_.empty()) look_at_memory(now);
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
  run_next_calls();
  make_way();
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

void WorkerAgent::end_idle_programs(TimePoint now) {
  std::erase_if(idle_since_, [&](const auto& each) {
    if (each.second + program_idle_max > now) return false;
    programs_.erase(each.first);
    gate_.forget(each.first);
    return true;
  });
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
  if (!open_.empty()) next = std::min(*next, look_at_memory_);
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
