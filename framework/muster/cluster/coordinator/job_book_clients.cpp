#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <muster/cluster/coordinator/job_book.hpp>

// Who asks about jobs, and jobs of an earlier life.

namespace muster::cluster {
namespace {

// How often those who watch a job hear how far it is.
constexpr Duration news_every = std::chrono::milliseconds(100);
constexpr std::size_t states_max = 1000;
constexpr std::size_t lines_max = 1000;
// Of one job by one client: each costs messages.
constexpr std::size_t watches_max = 64;

}  // namespace

void JobBook::worker_joined(WorkerId worker, std::uint64_t instance, const std::string& name) {
  workers_[worker] = {instance, name, {}};
  by_instance_[instance] = worker;
}

void JobBook::worker_at(WorkerId worker, const std::string& address) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return;
  found->second.address = address;
  for (auto& [id, job] : jobs_) job->awaited.erase(found->second.instance);
}

void JobBook::worker_left(WorkerId worker, const std::string& why) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return;
  for (auto& [id, job] : jobs_) {
    const auto outputs =
        std::count(job->runs_at.begin(), job->runs_at.end(), found->second.instance);
    const std::size_t attempts = std::exchange(job->attempts_lost, 0);
    if (outputs == 0 && attempts == 0) continue;
    say(*job, fmt::format("{} has gone, with {} attempts and {} map outputs: {}",
                          worker_name(worker), attempts, outputs, why));
  }
  const auto current = by_instance_.find(found->second.instance);
  if (current != by_instance_.end() && current->second == worker) by_instance_.erase(current);
  set_apart_.erase(worker);
  workers_.erase(found);
  for (auto& [id, job] : jobs_) {
    job->troubles.erase(worker);
    for (auto& [other, trouble] : job->troubles) trouble.with.erase(worker);
  }
}

void JobBook::client_left(wire::SessionId client) {
  std::vector<JobId> alone;
  for (auto& [id, job] : jobs_) {
    job->watchers.erase(client);
    if (job->client != client) continue;
    job->record.state.message = "its client has gone";
    say(*job, job->record.state.message);
    alone.push_back(id);
  }
  for (const JobId each : alone) give_up(each);
}

/// One that is not with the scheduler yet ends right here.
void JobBook::give_up(JobId id) {
  Job& of = job(id);
  if (!of.wait_until) {
    orders_.push_back(scheduling::JobCancelled{id});
  } else {
    end(of, wire::JobState::Phase::cancelled, std::nullopt);
  }
}

void JobBook::give_up_for_want_of_room() {
  for (auto& [id, each] : jobs_) {
    if (each->wait_until || each->broken) continue;
    each->broken = Error(ErrorCode::no_space, "no worker takes anything: their disks are full",
                         "make room below --scratch of the workers, or add workers; 'muster "
                         "workers' shows who has paused");
    orders_.push_back(scheduling::JobCancelled{id});
  }
}

wire::LiveJobs JobBook::live() const {
  wire::LiveJobs out;
  for (const auto& [id, job] : jobs_) out.jobs.push_back(id.value);
  return out;
}

std::uint64_t JobBook::open_chunks() const {
  std::uint64_t out = 0;
  for (const auto& [id, each] : jobs_) {
    for (std::uint32_t i = 0; i < each->run->stage_count(); ++i) {
      const std::uint32_t chunks = each->run->stage(i).chunk_count();
      const std::uint32_t done = each->run->reports()[i].chunks;
      if (done == chunks) continue;
      out += chunks - done;
      break;
    }
  }
  return out;
}

void JobBook::push_state(wire::SessionId client, std::uint64_t number,
                         const wire::JobState& state) {
  answers_.emplace_back(client, wire::JobStates{number, {state}});
}

void JobBook::push_news(wire::SessionId client, std::uint64_t number, Watch& watch, const Job& of) {
  while (watch.chunks && *watch.chunks < of.ended_chunks.size()) {
    const auto begin = of.ended_chunks.begin() + static_cast<std::ptrdiff_t>(*watch.chunks);
    const std::size_t count = std::min(wire::items_max, of.ended_chunks.size() - *watch.chunks);
    answers_.emplace_back(
        client, wire::JobChunks{number, {begin, begin + static_cast<std::ptrdiff_t>(count)}});
    *watch.chunks += count;
  }
  push_state(client, number, of.record.state);
}

void JobBook::push_news(wire::SessionId client, std::map<std::uint64_t, Watch>& watches,
                        const Job& of) {
  for (auto& [number, watch] : watches) push_news(client, number, watch, of);
}

wire::JobLog JobBook::log_of(const wire::AskJob& question) const {
  constexpr std::uint64_t line_max = INT64_MAX;  // SQLite's
  wire::JobLog log{question.number, std::min(question.from, line_max), {}};
  std::size_t bytes = 0;
  for (std::string& each : journal_.lines(question.job, log.next, lines_max)) {
    bytes += each.size();
    if (bytes > wire::message_bytes_enough && !log.lines.empty()) break;
    log.lines.push_back(std::move(each));
  }
  log.next += log.lines.size();
  return log;
}

JobBook::Message JobBook::answer(TimePoint now, const wire::AskJob& question) {
  using What = wire::AskJob::What;
  for (auto& [id, each] : jobs_) {
    if (question.what != What::list && id.value != question.job) continue;
    update_state(now, *each);
    journal_.set_state(each->record.state);
  }
  if (question.what == What::list) {
    wire::JobStates all{question.number, journal_.states(states_max)};
    for (wire::JobState& each : all.jobs) each.part_files.clear();
    return all;
  }
  const auto state = journal_.state(question.job);
  if (!state) {
    return wire::JobAnswer{question.number,
                           true,
                           0,
                           0,
                           fmt::format("there is no job {}", question.job),
                           "'muster jobs' lists those that there are"};
  }
  if (question.what == What::log) return log_of(question);
  if (question.what == What::cancel) {
    if (has(JobId{question.job})) give_up(JobId{question.job});
    return wire::JobAnswer{question.number, false, 0, question.job, "", ""};
  }
  return wire::JobStates{question.number, {*state}};
}

/// A question with the number of a watch takes its place.
void JobBook::end_watch(Job& of, wire::SessionId client, std::uint64_t number) {
  const auto found = of.watchers.find(client);
  if (found == of.watchers.end()) return;
  found->second.erase(number);
  if (found->second.empty()) of.watchers.erase(found);
}

void JobBook::ask(TimePoint now, wire::SessionId client, const wire::AskJob& question) {
  using What = wire::AskJob::What;
  const bool is_there = has(JobId{question.job});
  if (is_there) end_watch(job(JobId{question.job}), client, question.number);
  const bool stays = question.what == What::watch || question.what == What::follow;
  if (!stays || !is_there) {
    answers_.emplace_back(client, answer(now, question));
    return;
  }
  Job& watched = job(JobId{question.job});
  update_state(now, watched);
  journal_.set_state(watched.record.state);
  auto& watches = watched.watchers[client];
  if (watches.size() >= watches_max) {
    answers_.emplace_back(
        client,
        wire::JobAnswer{
            question.number, true, static_cast<std::uint8_t>(ErrorCode::limit), question.job,
            fmt::format("this client has {} watches of job {} already", watches_max, question.job),
            "watch it once, and pass on what is told"});
    return;
  }
  Watch& watch = watches[question.number];
  if (question.what == What::follow) watch.chunks = 0;
  push_news(client, question.number, watch, watched);
  // Whoever knows the ticket is the one that has submitted it, though in another session.
  const bool is_its_own = question.ticket == watched.record.submission.ticket;
  if (watched.workspace.lasting || !is_its_own) return;
  watched.client = client;
  watched.client_until.reset();
}

std::vector<std::pair<wire::SessionId, JobBook::Message>> JobBook::take_news(
    TimePoint now, const std::function<bool(wire::SessionId)>& has_room) {
  if (news_at_ <= now) {
    news_at_ = now + news_every;
    for (auto& [id, each] : jobs_) {
      if (!std::exchange(each->has_news, false) || each->watchers.empty()) continue;
      update_state(now, *each);
      for (auto& [client, watches] : each->watchers) {
        if (has_room(client)) {
          push_news(client, watches, *each);
        } else {
          each->has_news = true;
        }
      }
    }
  }
  return std::exchange(answers_, {});
}

void JobBook::recover(TimePoint now) {
  for (Journal::Job& each : journal_.open_jobs()) restore(now, std::move(each));
}

void JobBook::restore(TimePoint now, Journal::Job&& record) {
  const wire::JobState state = record.state;
  try {
    std::unique_ptr<Job> made = make_job(std::move(record));
    made->record.state.log_lines = journal_.line_count(state.job);
    made->restored = journal_.chunks(state.job);
    restore_chunks(*made);
    made->wait_until = made->awaited.empty() ? now : now + grace_;
    if (!made->workspace.lasting) made->client_until = now + 2 * grace_;
    made->record.state.phase = wire::JobState::Phase::waiting;
    Job& added = *jobs_.emplace(JobId{state.job}, std::move(made)).first->second;
    say(added, fmt::format("the coordinator was started again: {} chunks have ended already",
                           added.restored.size()));
  } catch (const Error& error) {
    wire::JobState failed = state;
    failed.phase = wire::JobState::Phase::failed;
    failed.code = static_cast<std::uint8_t>(error.code());
    failed.message = std::string("after a restart of the coordinator: ") + error.what();
    failed.hint = error.hint();
    log_(fmt::format("job {} has failed {}", state.job, failed.message));
    journal_.end(failed);
  }
  live_changed_ = true;
}

/// Its chunks of the journal are its own; of what map chunks left on workers is known where.
void JobBook::restore_chunks(Job& of) {
  const std::uint32_t stages = of.run->stage_count();
  std::erase_if(of.restored, [&](const Journal::Chunk& each) {
    return each.stage >= stages || each.chunk >= of.run->stage(each.stage).chunk_count();
  });
  const auto reduced = static_cast<std::uint32_t>(std::count_if(
      of.restored.begin(), of.restored.end(),
      [&](const auto& each) { return of.map_stage && each.stage == *of.map_stage + 1; }));
  const bool needs_runs = of.map_stage && reduced < of.run->stage(*of.map_stage + 1).chunk_count();
  for (const Journal::Chunk& each : of.restored) {
    of.run->accept(each.stage, each.chunk, each.attempt, each.result);
    of.ended_chunks.push_back({each.stage, each.chunk, each.attempts, each.worker});
    if (of.map_stage != each.stage) continue;
    of.runs_at[each.chunk] = each.instance;
    if (needs_runs && each.instance != 0) of.awaited.insert(each.instance);
  }
  if (!needs_runs) of.map_stage.reset();  // nothing is fetched any more
}

/// What has ended, and is where it was.
std::vector<scheduling::RestoredChunk> JobBook::still_there(Job& of) {
  std::vector<scheduling::RestoredChunk> out;
  std::size_t lost = 0;
  for (const Journal::Chunk& each : std::exchange(of.restored, {})) {
    if (of.map_stage != each.stage) {
      out.push_back({each.stage, each.chunk, std::nullopt});
      continue;
    }
    const auto worker = by_instance_.find(each.instance);
    if (worker != by_instance_.end()) {
      out.push_back({each.stage, each.chunk, worker->second});
      continue;
    }
    ++lost;
    of.run->reopened(each.stage, each.chunk);
    of.has_reopened = true;
    journal_.lose_chunk(of.record.state.job, each.stage, each.chunk);
  }
  if (lost != 0)
    say(of,
        fmt::format("{} map chunks have to be run again: their workers did not come back", lost));
  return out;
}

void JobBook::begin(Job& of) {
  of.wait_until.reset();
  of.awaited.clear();
  of.record.state.phase = wire::JobState::Phase::running;
  std::vector<scheduling::RestoredChunk> restored = still_there(of);
  orders_.push_back(scheduling::JobSubmitted{JobId{of.record.state.job},
                                             spec_of(of),
                                             {of.record.submission.priority, 1},
                                             std::move(restored)});
}

void JobBook::expire(TimePoint now) {
  end_setting_apart(now);
  std::vector<JobId> alone;
  for (auto& [id, each] : jobs_) {
    if (each->client_until && *each->client_until <= now) {
      each->client_until.reset();
      each->record.state.message = "its client did not come back";
      say(*each, each->record.state.message);
      alone.push_back(id);
    } else if (each->wait_until && (*each->wait_until <= now || each->awaited.empty())) {
      begin(*each);
    }
  }
  for (const JobId each : alone) give_up(each);
}

std::optional<TimePoint> JobBook::next_deadline() const {
  std::optional<TimePoint> next;
  const auto consider = [&](TimePoint at) { next = next ? std::min(*next, at) : at; };
  for (const auto& [worker, until] : set_apart_) consider(until);
  for (const auto& [id, each] : jobs_) {
    if (each->wait_until) consider(each->awaited.empty() ? TimePoint() : *each->wait_until);
    if (each->client_until) consider(*each->client_until);
    if (each->has_news && !each->watchers.empty()) consider(news_at_);
  }
  return next;
}

}  // namespace muster::cluster
