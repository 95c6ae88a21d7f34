#include <algorithm>
#include <utility>

#include <muster/base/assert.hpp>
#include <muster/scheduling/job_state.hpp>

namespace muster::scheduling {

JobState::JobState(JobId id, std::uint64_t order, const JobSpec& spec) : id_(id), order_(order) {
  stages_.reserve(spec.size());
  for (const StageSpec& stage : spec) {
    stages_.push_back({stage, false, false, std::vector<Phase>(stage.chunk_count, Phase::waiting),
                       ChunkSet(stage.chunk_count)});
    progress_.stages.push_back({.pending = stage.chunk_count});
    is_stream_ = stage.stream;
  }
}

std::optional<ChunkRef> JobState::first_ready() const {
  if (ready_stages_.empty()) return std::nullopt;
  const std::uint32_t stage = *ready_stages_.begin();
  return ChunkRef{stage, stages_[stage].ready.first()};
}

bool JobState::restore(ChunkRef ref, std::optional<WorkerId> worker) {
  if (is_stream_ || ref.stage >= stages_.size()) return false;
  Stage& stage = stages_[ref.stage];
  if (ref.chunk >= stage.spec.chunk_count || stage.phases[ref.chunk] == Phase::done) return false;
  const bool waits_for_one = stage.spec.edge == Edge::each;
  if (waits_for_one && stages_[ref.stage - 1].phases[ref.chunk] != Phase::done) return false;
  move(ref, Phase::waiting, Phase::done);
  --progress_.stages[ref.stage].pending;
  ++progress_.stages[ref.stage].done;
  if (worker && stage.spec.keeps_output) {
    stage.kept[*worker].insert(ref.chunk);
    holders_.insert(*worker);
  }
  return true;
}

void JobState::open(std::vector<Action>& actions) {
  for (std::uint32_t i = 1; i < stages_.size(); ++i) {
    if (stages_[i].spec.edge != Edge::each || progress_.stages[i - 1].done == 0) continue;
    for (std::uint32_t chunk = 0; chunk < stages_[i].spec.chunk_count; ++chunk) {
      if (stages_[i - 1].phases[chunk] == Phase::done) make_ready_if_waiting({i, chunk});
    }
  }
  for (std::uint32_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].spec.edge != Edge::none) continue;
    open_stage(i);
    finish_stages_from(i, actions);
  }
}

void JobState::start(ChunkRef ref, AttemptId attempt) {
  Stage& stage = stages_[ref.stage];
  if (stage.phases[ref.chunk] == Phase::held) {
    move(ref, Phase::held, Phase::running);
  } else {
    move(ref, Phase::ready, Phase::running);
    stage.ready.erase(ref.chunk);
    update_ready_stage(ref.stage);
  }
  attempts_.insert(attempt);
  if (is_stream_) running_.emplace(ref.chunk, attempt);
  --progress_.stages[ref.stage].pending;
  ++progress_.stages[ref.stage].running;
}

void JobState::start_second(ChunkRef ref, AttemptId attempt) {
  MUSTER_ASSERT(stages_[ref.stage].phases[ref.chunk] == Phase::running);
  attempts_.insert(attempt);
}

void JobState::release(ChunkRef ref) { make_ready(ref, Phase::held); }

void JobState::detach(ChunkRef ref, AttemptId attempt, std::optional<AttemptId> other) {
  const std::size_t removed = attempts_.erase(attempt);
  MUSTER_ASSERT(removed == 1);
  if (!is_stream_) return;
  if (other) {
    running_.at(ref.chunk) = *other;
  } else {
    running_.erase(ref.chunk);
  }
}

void JobState::hold(ChunkRef ref, FailureCause cause) {
  give_back(ref);
  ++progress_.stages[ref.stage].retries[cause];
}

void JobState::give_back(ChunkRef ref) {
  move(ref, Phase::running, Phase::held);
  StageProgress& counts = progress_.stages[ref.stage];
  --counts.running;
  ++counts.pending;
}

void JobState::finish(ChunkRef ref, AttemptId attempt, WorkerId worker,
                      std::vector<Action>& actions) {
  move(ref, Phase::running, Phase::done);
  if (stages_[ref.stage].spec.keeps_output) {
    stages_[ref.stage].kept[worker].insert(ref.chunk);
    holders_.insert(worker);
  }
  failures_.erase(ref);
  --progress_.stages[ref.stage].running;
  ++progress_.stages[ref.stage].done;
  actions.push_back(ChunkFinished{id_, ref.stage, ref.chunk, attempt});
  const std::uint32_t next = ref.stage + 1;
  if (next < stages_.size() && stages_[next].spec.edge == Edge::each)
    make_ready_if_waiting({next, ref.chunk});
  finish_stages_from(ref.stage, actions);
}

void JobState::end(Outcome outcome) {
  MUSTER_ASSERT(!ended());
  progress_.outcome = outcome;
  for (StageProgress& stage : progress_.stages) stage.pending += std::exchange(stage.running, 0);
  stages_ = {};
  ready_stages_ = {};
  attempts_ = {};
  running_ = {};
  failures_ = {};
  holders_ = {};
}

bool JobState::can_grow(std::uint32_t count) const {
  return is_stream_ && !sealed_ && count <= chunks_max - stages_.front().spec.chunk_count;
}

void JobState::add_chunks(std::uint32_t count) {
  MUSTER_ASSERT(is_stream_ && !sealed_);
  Stage& stage = stages_.front();
  const std::uint32_t first = stage.spec.chunk_count;
  stage.spec.chunk_count += count;
  stage.phases.resize(stage.spec.chunk_count, Phase::ready);
  stage.ready.grow(stage.spec.chunk_count);
  for (std::uint32_t i = first; i < stage.spec.chunk_count; ++i) stage.ready.insert(i);
  progress_.stages.front().pending += count;
  update_ready_stage(0);
}

void JobState::seal(std::vector<Action>& actions) {
  MUSTER_ASSERT(is_stream_ && !sealed_);
  sealed_ = true;
  finish_stages_from(0, actions);
}

void JobState::fail(ChunkRef ref, FailureCause cause, std::vector<Action>& actions) {
  actions.push_back(ChunkFailed{id_, ref.chunk, failures_.at(ref).failures, cause});
  cancel(ref, actions);
  --progress_.stages.front().cancelled;
  ++progress_.stages.front().failed;
}

void JobState::cancel(ChunkRef ref, std::vector<Action>& actions) {
  MUSTER_ASSERT(is_stream_ && !has_ended(ref));
  Stage& stage = stages_.front();
  StageProgress& counts = progress_.stages.front();
  Phase& phase = stage.phases[ref.chunk];
  --(phase == Phase::running ? counts.running : counts.pending);
  if (phase == Phase::ready) stage.ready.erase(ref.chunk);
  phase = Phase::done;
  ++counts.cancelled;
  failures_.erase(ref);
  update_ready_stage(0);
  finish_stages_from(0, actions);
}

bool JobState::has_ended(ChunkRef ref) const {
  const Stage& stage = stages_.front();
  return ref.chunk >= stage.spec.chunk_count || stage.phases[ref.chunk] == Phase::done;
}

std::optional<AttemptId> JobState::attempt_of(ChunkRef ref) const {
  const auto found = running_.find(ref.chunk);
  return found == running_.end() ? std::nullopt : std::optional(found->second);
}

const FailureRecord* JobState::find_failure(ChunkRef ref) const {
  const auto record = failures_.find(ref);
  return record == failures_.end() ? nullptr : &record->second;
}

void JobState::move(ChunkRef ref, Phase from, Phase to) {
  Phase& phase = stages_[ref.stage].phases[ref.chunk];
  MUSTER_ASSERT(phase == from);
  phase = to;
}

void JobState::make_ready(ChunkRef ref, Phase from) {
  move(ref, from, Phase::ready);
  stages_[ref.stage].ready.insert(ref.chunk);
  update_ready_stage(ref.stage);
}

/// It may have been restored.
void JobState::make_ready_if_waiting(ChunkRef ref) {
  if (stages_[ref.stage].phases[ref.chunk] == Phase::waiting) make_ready(ref, Phase::waiting);
}

bool JobState::is_blocked(std::uint32_t index) const {
  return stages_[index].spec.edge == Edge::barrier && !stages_[index - 1].finished;
}

void JobState::update_ready_stage(std::uint32_t index) {
  if (!stages_[index].ready.empty() && !is_blocked(index)) {
    ready_stages_.insert(index);
  } else {
    ready_stages_.erase(index);
  }
}

std::uint64_t JobState::lose_outputs(WorkerId worker, std::vector<Action>& actions) {
  if (holders_.erase(worker) == 0) return 0;
  for (Stage& stage : stages_) {
    const auto kept = stage.kept.find(worker);
    if (kept == stage.kept.end()) continue;
    stage.lost.merge(kept->second);
    stage.kept.erase(kept);
  }
  return reopen_what_is_needed(actions);
}

JobState::Loss JobState::lose_output(ChunkRef ref, std::vector<Action>& actions) {
  if (ref.stage >= stages_.size()) return {};
  Stage& stage = stages_[ref.stage];
  const auto kept = std::find_if(stage.kept.begin(), stage.kept.end(),
                                 [&](const auto& each) { return each.second.contains(ref.chunk); });
  if (kept == stage.kept.end()) return {};
  const WorkerId worker = kept->first;
  stage.lost.insert(ref.chunk);
  kept->second.erase(ref.chunk);
  if (kept->second.empty()) stage.kept.erase(kept);
  Loss loss;
  if (std::none_of(stages_.begin(), stages_.end(),
                   [&](const Stage& each) { return each.kept.contains(worker); })) {
    holders_.erase(worker);
    loss.has_nothing = worker;
  }
  loss.reopened = reopen_what_is_needed(actions);
  return loss;
}

/// From the back: a stage that becomes incomplete needs what the one before it gave.
std::uint64_t JobState::reopen_what_is_needed(std::vector<Action>& actions) {
  std::uint64_t reopened = 0;
  for (auto next = static_cast<std::uint32_t>(stages_.size()); next-- > 1;) {
    const std::uint32_t index = next - 1;
    Stage& stage = stages_[index];
    const bool is_needed = progress_.stages[next].done != stages_[next].spec.chunk_count;
    if (stage.lost.empty() || !is_needed) continue;
    if (std::exchange(stage.finished, false)) --stages_finished_;
    for (const std::uint32_t chunk : std::exchange(stage.lost, {})) {
      move({index, chunk}, Phase::done, Phase::ready);
      stage.ready.insert(chunk);
      --progress_.stages[index].done;
      ++progress_.stages[index].pending;
      ++reopened;
      has_reopened_ = true;
      actions.push_back(ChunkReopened{id_, index, chunk});
    }
  }
  for (std::uint32_t i = 0; i < stages_.size() && reopened != 0; ++i) update_ready_stage(i);
  return reopened;
}

/// An `each` stage opens too, but its chunks become ready one by one.
void JobState::open_stage(std::uint32_t index) {
  Stage& stage = stages_[index];
  MUSTER_ASSERT(!stage.open);
  stage.open = true;
  if (stage.spec.edge == Edge::each || stage.spec.chunk_count == 0) return;
  if (progress_.stages[index].done == 0) {
    std::fill(stage.phases.begin(), stage.phases.end(), Phase::ready);
    stage.ready.fill();
  } else {
    for (std::uint32_t i = 0; i < stage.spec.chunk_count; ++i) make_ready_if_waiting({index, i});
  }
  update_ready_stage(index);
}

/// Finishes the stage if it is complete, then whatever that completes: an empty stage behind it is
/// finished as soon as it is open, and so on down the chain.
void JobState::finish_stages_from(std::uint32_t index, std::vector<Action>& actions) {
  for (; index < stages_.size(); ++index) {
    Stage& stage = stages_[index];
    const StageProgress& counts = progress_.stages[index];
    const bool is_complete =
        counts.pending + counts.running == 0 && (!stage.spec.stream || sealed_);
    if (!stage.open || stage.finished || !is_complete || is_blocked(index)) return;
    stage.finished = true;
    ++stages_finished_;
    actions.push_back(StageFinished{id_, index});
    const std::uint32_t next = index + 1;
    if (next == stages_.size() || stages_[next].spec.edge == Edge::none) return;
    if (stages_[next].open) {
      update_ready_stage(next);
    } else {
      open_stage(next);
    }
  }
}

}  // namespace muster::scheduling
