#include "lives.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include <muster/cluster/code/sha256.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/mapreduce/attempt.hpp>

#include "support/count_job.hpp"

namespace muster::simulation {
namespace {

using namespace std::chrono_literals;
using cluster::JobCall;
using cluster::JobCallEnd;

constexpr std::uint32_t chunks = 20;
constexpr std::uint32_t partitions = 2;
constexpr std::uint64_t ticket = 4711;
constexpr std::uint64_t rounds_max = 20'000;
constexpr const char* plugin = "a plugin";

/// Where fsync(2) costs nothing: what a crash loses is decided here, not by a disk.
std::filesystem::path memory_directory() {
  const std::filesystem::path out = "/dev/shm";
  return std::filesystem::exists(out) ? out : default_temp_parent();
}

/// What chunk number `chunk` gives for each partition.
std::vector<std::uint64_t> records_of(std::uint64_t chunk) { return {4 + chunk, 10 + 2 * chunk}; }

std::uint64_t records_in_all() {
  std::uint64_t out = 0;
  for (std::uint32_t i = 0; i < chunks; ++i) out += records_of(i)[0] + records_of(i)[1];
  return out;
}

wire::SubmitJob submission(const std::filesystem::path& parts) {
  wire::SubmitJob out = test::count_job(chunks, partitions, parts);
  out.number = 1;
  out.ticket = ticket;
  out.plugin = cluster::sha256(simulation::plugin);
  return out;
}

std::string run_name(std::uint64_t job, const std::filesystem::path& file) {
  return fmt::format("{}/{}", job, file.filename().string());
}

std::uint64_t chunk_of(const mapreduce::MapRequest& request) {
  return request.ranges.at(0).offset / 10;
}

/// With it a connection begins: none of another life comes through a new one.
bool is_hello(std::string_view frame) {
  const auto reading = wire::read_frame(frame);
  return reading.frame &&
         reading.frame->header.type == static_cast<std::uint16_t>(wire::Hello::type);
}

/// Which chunk a call is of.
std::pair<std::uint32_t, std::uint32_t> chunk_of(const JobCall& call) {
  if (call.kind == jobs::CallKind::reduce)
    return {1, mapreduce::decode_reduce_request(call.request).partition};
  return {0, static_cast<std::uint32_t>(chunk_of(mapreduce::decode_map_request(call.request)))};
}

}  // namespace

Lives::Lives(const LivesPlan& plan)
    : plan_(plan),
      random_(plan.seed),
      directory_(memory_directory()),
      store_(directory_.path() / "code") {
  const std::string file = plugin;
  store_.add({cluster::sha256(file), file.size(), 0, file});
  for (const char* each : {"a", "b", "c"}) add_end(wire::Role::worker, each);
  add_end(wire::Role::client, "client");
  begin_life();
  for (const auto& each : ends_) {
    wire::LinkOutput out;
    each->link.start(now_, out);
    pass_on(*each, out);
  }
}

Lives::~Lives() = default;

void Lives::add_end(wire::Role role, const std::string& name) {
  wire::Hello hello;
  hello.role = role;
  hello.instance = 100 + ends_.size();
  hello.name = name;
  if (role == wire::Role::worker) hello.room = wire::WorkerRoom{1, 1, 0};
  ends_.push_back(std::make_unique<End>(End{wire::Link(hello, {}, plan_.seed + ends_.size()),
                                            role == wire::Role::client, "tcp://" + name + ":1"}));
}

void Lives::begin_life() {
  journal_.emplace(directory_.path() / "journal.db");
  cluster::CoordinatorOptions options;
  options.sessions.epoch = ++epoch_;
  core_ = std::make_unique<cluster::CoordinatorCore>(now_, std::move(options), store_, *journal_);
}

/// What was not committed is lost, as is most of what was on its way to others. What they have sent
/// is lost, or comes late.
void Lives::crash() {
  ++report_.crashes;
  for (const auto& each : ends_) {
    while (!each->down.empty() && random_.chance(0.5)) read_one(*each);
  }
  report_.stale_refused += core_->session_counters().stale;
  core_.reset();
  journal_.reset();
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    for (wire::SharedFrame& each : std::exchange(ends_[i]->up, {})) {
      if (!is_hello(*each) && random_.chance(plan_.stale_rate))
        stale_.push_back({i, ends_[i]->peer, std::move(each)});
    }
    ends_[i]->down.clear();
  }
  begin_life();
  for (const auto& each : ends_) cut(*each);
}

void Lives::cut(End& end) {
  if (std::exchange(end.peer, 0) == 0) return;
  end.up.clear();
  end.down.clear();
  wire::LinkOutput out;
  end.link.lost(now_, out);
  pass_on(end, out);
}

/// As the shell does it: what is said is on the disk before.
template <class Tell>
void Lives::round(Tell tell) {
  ++report_.rounds;
  dies_.reset();
  const bool is_chance = report_.crashes < plan_.crashes_max && random_.chance(plan_.crash_rate);
  if (plan_.crash_at == report_.rounds) dies_ = plan_.moment;
  if (is_chance) dies_ = static_cast<Moment>(random_.below(3));
  tell();
  if (dies_at(Moment::before_commit)) {
    if (plan_.says_too_early) deliver(core_->take_frames(now_));
    return crash();
  }
  journal_->commit();
  for (const auto& each : core_->take_file_work()) {
    if (each.commits) core_->committed(now_, *each.commits, std::nullopt);
  }
  auto frames = core_->take_frames(now_);
  journal_->commit();
  if (dies_at(Moment::before_sending)) return crash();
  deliver(std::move(frames));
  if (dies_at(Moment::after_sending)) crash();
}

void Lives::deliver(cluster::CoordinatorCore::Frames&& frames) {
  for (auto& [peer, frame] : frames) {
    const auto to = std::find_if(ends_.begin(), ends_.end(),
                                 [id = peer](const auto& each) { return each->peer == id.value; });
    if (to != ends_.end()) (*to)->down.push_back(std::move(frame));
  }
}

void Lives::read_one(End& end) {
  const wire::SharedFrame frame = std::move(end.down.front());
  end.down.pop_front();
  wire::LinkOutput out;
  end.link.receive(now_, *frame, out);
  pass_on(end, out);
}

void Lives::pass_on(End& end, wire::LinkOutput& out) {
  if (out.disconnect) {
    if (end.peer != 0) core_->gone(wire::PeerId{end.peer});
    end.peer = 0;
    end.up.clear();
    end.down.clear();
  }
  if (out.connect) end.connecting = true;
  for (wire::SharedFrame& each : out.frames) {
    if (end.peer != 0) end.up.push_back(std::move(each));
  }
  if (out.opened) on_session(end);
  for (wire::Message& each : out.messages) {
    if (end.link.has_session()) on_message(end, std::move(each));
  }
  if (out.heartbeat_due) {
    wire::LinkOutput beat;
    end.link.beat(now_, {}, beat);
    pass_on(end, beat);
  }
}

template <class M>
void Lives::send(End& end, const M& message) {
  if (!end.link.has_session()) return;
  wire::LinkOutput out;
  end.link.send(now_, message, out);
  pass_on(end, out);
}

/// A worker ends what it ran for another session, and keeps what it has made. A client asks again
/// what it had asked.
void Lives::on_session(End& end) {
  end.calls.clear();
  if (!end.is_client) return send(end, wire::DataPlace{end.address});
  if (!job_) return send(end, submission(directory_.path()));
  send(end, wire::AskJob{2, wire::AskJob::What::follow, *job_, 0, ticket});
}

void Lives::on_message(End& end, wire::Message&& message) {
  if (auto* const calls = std::get_if<wire::Calls>(&message)) {
    on_calls(end, std::move(*calls));
  } else if (const auto* withdrawals = std::get_if<wire::Withdrawals>(&message)) {
    on_withdrawals(end, *withdrawals);
  } else if (const auto* answer = std::get_if<wire::JobAnswer>(&message)) {
    expect(!answer->is_refused, "refused: " + answer->message);
    if (answer->number != 1 || answer->is_refused) return;
    expect(!job_ || *job_ == answer->job, "the job has another number now");
    job_ = answer->job;
    send(end, wire::AskJob{2, wire::AskJob::What::follow, *job_, 0, ticket});
  } else if (const auto* ended = std::get_if<wire::JobChunks>(&message)) {
    for (const wire::EndedChunk& each : ended->chunks) told_.emplace(each.stage, each.chunk);
  } else if (const auto* states = std::get_if<wire::JobStates>(&message)) {
    if (!states->jobs.empty() && states->jobs.front().has_ended()) check_end(states->jobs.front());
  }
}

void Lives::on_calls(End& end, wire::Calls&& calls) {
  for (wire::Call& each : calls.calls) {
    const Chunk chunk = chunk_of(cluster::decode_job_call(each.bytes));
    expect(!told_.contains(chunk), fmt::format("chunk {} of stage {} runs again, which had ended",
                                               chunk.second, chunk.first));
    ++report_.calls;
    end.calls.push_back(std::move(each));
  }
}

void Lives::on_withdrawals(End& end, const wire::Withdrawals& withdrawals) {
  for (const auto& each : withdrawals.withdrawals) {
    const auto erased = std::erase_if(
        end.calls, [&](const wire::Call& call) { return call.number == each.number; });
    const bool is_recall = each.how == wire::Withdrawals::How::recall;
    const auto kind = is_recall ? wire::EndKind::returned : wire::EndKind::cancelled;
    if (erased != 0) send(end, wire::Ends{{{each.number, kind, ""}}});
  }
}

Bytes Lives::run_map(End& end, std::uint64_t job, std::string_view bytes) const {
  const mapreduce::MapRequest request = mapreduce::decode_map_request(bytes);
  end.outputs.insert(run_name(job, request.output));
  mapreduce::MapResult result;
  result.partition_records = records_of(chunk_of(request));
  result.records_in = result.partition_records[0] + result.partition_records[1];
  return mapreduce::encode(result);
}

/// None if a run is not where the call says.
std::optional<Bytes> Lives::run_reduce(const JobCall& call) const {
  const mapreduce::ReduceRequest request = mapreduce::decode_reduce_request(call.request);
  mapreduce::ReduceResult result;
  for (std::size_t i = 0; i < request.runs.size(); ++i) {
    const std::string& address = call.addresses[call.address_of_run[i]];
    const std::string run = run_name(call.job, request.runs[i]);
    const bool is_there = std::any_of(ends_.begin(), ends_.end(), [&](const auto& each) {
      return each->address == address && each->outputs.contains(run);
    });
    if (!is_there) return std::nullopt;
    result.records_in += records_of(i)[request.partition];
  }
  result.part.records = result.records_in;
  return mapreduce::encode(result);
}

/// The first of its calls comes to its end.
void Lives::work(End& end) {
  const wire::Call call = std::move(end.calls.front());
  end.calls.pop_front();
  const JobCall of = cluster::decode_job_call(call.bytes);
  JobCallEnd result;
  if (of.kind == jobs::CallKind::map) {
    result.value = run_map(end, of.job, of.request);
  } else if (auto reduced = run_reduce(of)) {
    result.value = std::move(*reduced);
  } else {
    expect(false, "a reduce was sent to a run that is not there");
  }
  send(end, wire::Ends{{{call.number, wire::EndKind::value, cluster::encode(result)}}});
}

void Lives::expect(bool condition, const std::string& what) {
  if (!condition) report_.violations.push_back(fmt::format("round {}: {}", report_.rounds, what));
}

void Lives::check_end(const wire::JobState& state) {
  has_ended_ = true;
  expect(state.phase == wire::JobState::Phase::succeeded, "it has failed: " + state.message);
  expect(state.records_mapped == records_in_all(), "records are lost, or counted twice");
  expect(state.records == records_in_all(), "the result lacks records, or has them twice");
  expect(state.part_files.size() == partitions, "parts are missing");
  // Of a job that has ended meanwhile there is the state alone.
  const bool was_away = report_.crashes + report_.cuts != 0;
  expect(was_away || told_.size() == chunks + partitions, "the client lacks chunks");
}

/// Nothing is on the way: time goes on.
void Lives::advance() {
  std::optional<TimePoint> next = core_->next_deadline();
  for (const auto& each : ends_) {
    if (const auto own = each->link.next_deadline()) next = next ? std::min(*next, *own) : own;
  }
  if (next) now_ = std::max(now_ + 1ms, *next);
  for (const auto& each : ends_) {
    wire::LinkOutput out;
    each->link.expire(now_, out);
    pass_on(*each, out);
  }
  round([&] { core_->expire(now_); });
}

/// One thing that can happen does.
bool Lives::step() {
  if (!stale_.empty() && random_.chance(0.2)) {
    const Stale stale = std::move(stale_.front());
    stale_.pop_front();
    const std::uint64_t now_at = ends_[stale.end]->peer;
    const std::uint64_t peer = now_at != 0 && random_.chance(0.5) ? now_at : stale.peer;
    ++report_.stale_sent;
    round([&] { core_->receive(now_, wire::PeerId{peer}, "", *stale.frame); });
    return true;
  }
  End& end = *ends_[random_.below(ends_.size())];
  if (random_.chance(plan_.cut_rate) && end.peer != 0) {
    ++report_.cuts;
    core_->gone(wire::PeerId{end.peer});
    cut(end);
  } else if (std::exchange(end.connecting, false)) {
    end.peer = ++last_peer_;
    wire::LinkOutput out;
    end.link.opened(now_, out);
    pass_on(end, out);
  } else if (!end.up.empty()) {
    const wire::SharedFrame frame = std::move(end.up.front());
    end.up.pop_front();
    round([&] { core_->receive(now_, wire::PeerId{end.peer}, "", *frame); });
  } else if (!end.down.empty()) {
    read_one(end);
  } else if (!end.calls.empty()) {
    work(end);
  } else {
    return false;
  }
  return true;
}

LivesReport Lives::run() {
  int idle = 0;
  while (!has_ended_ && report_.violations.empty() && report_.rounds < rounds_max) {
    idle = step() ? 0 : idle + 1;
    constexpr int idle_max = 8;  // picks that found nothing to do
    if (idle > idle_max) advance();
  }
  expect(has_ended_ || !report_.violations.empty(), "the job does not end");
  report_.stale_refused += core_->session_counters().stale;
  return report_;
}

}  // namespace muster::simulation
