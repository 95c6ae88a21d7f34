#include <algorithm>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/cluster/coordinator/call_book.hpp>

namespace muster::cluster {
namespace {

// Far below what a job may have: a stream's state in the scheduler is freed when it has ended.
constexpr std::uint32_t calls_a_stream = 1U << 20U;
constexpr std::uint32_t retries_max = 1000;

}  // namespace

CallBook::Rules CallBook::rules_of(const wire::Digest& program, const wire::Call& call) {
  const wire::CallOptions options = call.options.value_or(wire::CallOptions());
  return {program, options.priority, std::min(options.process_retries, retries_max),
          std::min(options.memory_retries, retries_max),
          std::min(options.worker_retries, retries_max)};
}

JobId CallBook::begin_stream(wire::SessionId client, const Rules& rules) {
  scheduling::StageSpec stage;
  stage.stream = true;
  stage.budgets = {.task_error = 1,
                   .crashed = 1 + rules.process_retries,
                   .killed = 1 + rules.process_retries,
                   .worker_lost = 1 + rules.worker_retries,
                   .out_of_memory = 1 + rules.memory_retries};
  const JobId job{++last_job_};
  CallStream made;
  made.client = client;
  made.program = rules.program;
  made.spec = {stage};
  made.rank = {.priority = rules.priority};
  streams_.emplace(job, std::move(made));
  clients_.at(client).all_streams.push_back(job);
  return job;
}

std::optional<CallBook::Added> CallBook::add(wire::SessionId client_id, const wire::Digest& program,
                                             wire::Call&& call) {
  Client& client = clients_.at(client_id);
  const auto place = client.places.try_emplace(call.number);
  if (!place.second) return std::nullopt;
  Added out;
  const Rules rules = rules_of(program, call);
  auto found = client.streams.find(rules);
  if (found != client.streams.end() && streams_.at(found->second).chunks == calls_a_stream) {
    out.full_stream = found->second;
    client.streams.erase(found);
    found = client.streams.end();
  }
  if (found == client.streams.end()) {
    out.is_new_stream = true;
    found = client.streams.emplace(rules, begin_stream(client_id, rules)).first;
  }
  CallStream& stream = streams_.at(found->second);
  out.place = {found->second, stream.chunks++};
  CallRecord& record = stream.records[out.place.chunk];
  record.number = call.number;
  record.bytes = std::move(call.bytes);
  record.options = call.options;
  place.first->second = out.place;
  ++open_;
  return out;
}

std::optional<CallPlace> CallBook::find(wire::SessionId client, std::uint64_t number) const {
  const auto& places = clients_.at(client).places;
  const auto found = places.find(number);
  if (found == places.end()) return std::nullopt;
  return found->second;
}

CallStream* CallBook::stream(JobId job) {
  const auto found = streams_.find(job);
  return found == streams_.end() ? nullptr : &found->second;
}

CallRecord* CallBook::record(const CallPlace& place) {
  CallStream* const in = stream(place.job);
  if (in == nullptr) return nullptr;
  const auto found = in->records.find(place.chunk);
  return found == in->records.end() ? nullptr : &found->second;
}

std::uint64_t CallBook::end(const CallPlace& place) {
  CallStream* const in = stream(place.job);
  MUSTER_ASSERT(in != nullptr);
  const auto record = in->records.find(place.chunk);
  MUSTER_ASSERT(record != in->records.end());
  const std::uint64_t number = record->second.number;
  in->records.erase(record);
  clients_.at(in->client).places.erase(number);
  --open_;
  return number;
}

std::optional<JobId> CallBook::retire_idle_stream(JobId job) {
  constexpr std::size_t streams_kept = 16;
  const CallStream* const idle = stream(job);
  if (idle == nullptr || !idle->records.empty()) return std::nullopt;
  auto& streams = clients_.at(idle->client).streams;
  if (streams.size() <= streams_kept) return std::nullopt;
  const auto found = std::find_if(streams.begin(), streams.end(),
                                  [&](const auto& each) { return each.second == job; });
  if (found == streams.end()) return std::nullopt;
  streams.erase(found);
  return job;
}

void CallBook::forget_stream(JobId job) {
  const auto found = streams_.find(job);
  if (found == streams_.end()) return;
  if (const auto client = clients_.find(found->second.client); client != clients_.end())
    std::erase(client->second.all_streams, job);
  streams_.erase(found);
}

std::vector<JobId> CallBook::remove_client(wire::SessionId client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return {};
  std::vector<JobId> out = std::move(found->second.all_streams);
  open_ -= found->second.places.size();
  clients_.erase(found);
  for (const JobId job : out) streams_.erase(job);
  return out;
}

}  // namespace muster::cluster
