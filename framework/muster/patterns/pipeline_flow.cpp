#include <muster/base/assert.hpp>
#include <muster/patterns/pipeline_flow.hpp>
#include <muster/patterns/pipeline_submissions.hpp>

namespace muster::detail {
namespace {

/// The pumps on the stack of this thread.
class PumpFrame {
 public:
  explicit PumpFrame(const PipelineFlow& flow) noexcept : flow_(&flow), outer_(innermost()) {
    innermost() = this;
  }
  ~PumpFrame() { innermost() = outer_; }
  PumpFrame(const PumpFrame&) = delete;
  PumpFrame& operator=(const PumpFrame&) = delete;

  bool is_nested() const noexcept {
    for (const PumpFrame* each = outer_; each != nullptr; each = each->outer_) {
      if (each->flow_ == flow_) return true;
    }
    return false;
  }

 private:
  static PumpFrame*& innermost() noexcept {
    thread_local PumpFrame* frame = nullptr;
    return frame;
  }

  const PipelineFlow* flow_;
  PumpFrame* outer_;
};

}  // namespace

void PipelineTaskDone::operator()() const { flow->task_done(item); }

void PipelineFlow::Cut::carry_out() {
  // Their callbacks run here.
  for (const auto& [stage, task] : tasks) stage->recall(task);
}

PipelineFlow::PipelineFlow(PipelineStages stages)
    : stages_(std::move(stages)), places_(stages_.size()) {}

PipelineStats PipelineFlow::stats() const {
  const Lock held = lock();
  PipelineStats out;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Places& at = places_[i];
    out.stages.push_back({.name = stage(i).name(),
                          .in = at.in,
                          .out = at.out,
                          .failed = at.failed,
                          .dropped = at.dropped,
                          .waiting = at.waiting.size(),
                          .running = at.active.size()});
  }
  return out;
}

void PipelineFlow::enter(PipelineItems item, Lock lock) {
  PipelineItems& queue = places_.front().waiting;
  queue.splice(queue.end(), item);
  will_pump();
  leave(std::move(lock));
  pump();
}

void PipelineFlow::pump() {
  const PumpFrame frame(*this);
  const bool is_nested = frame.is_nested();
  for (;;) {
    Lock held = lock();
    const auto item = is_nested ? std::nullopt : claim();
    if (!item) --pumps_;
    leave(std::move(held));
    if (!item) return;
    start(*item);
  }
}

// The stages are gone through from the last to the first, since room is made from there.
std::optional<PipelineItems::iterator> PipelineFlow::claim() {
  for (std::size_t number = places_.size(); number-- > 0;) {
    make_room_before(number);
    Places& at = places_[number];
    if (at.waiting.empty() || at.active.size() + at.held.size() >= stage(number).concurrency()) {
      continue;
    }
    const auto item = at.waiting.begin();
    at.active.splice(at.active.end(), at.waiting, item);
    item->stage = number;
    item->place = PipelineItem::Place::active;
    item->submitted = false;
    ++at.in;
    ++active_count_;
    return item;
  }
  return std::nullopt;
}

void PipelineFlow::make_room_before(std::size_t number) {
  if (number == 0) return;
  PipelineItems& from = places_[number - 1].held;
  PipelineItems& to = places_[number].waiting;
  while (!from.empty() && to.size() < stage(number).queue_max()) {
    from.front().stage = number;
    from.front().place = PipelineItem::Place::waiting;
    to.splice(to.end(), from, from.begin());
  }
}

// If there is no memory even for a callback, this ends the program: the item would be lost, and
// whoever waits for it would wait for ever.
void PipelineFlow::start(PipelineItems::iterator item) noexcept {
  const PipelineStage& at = stage(item->stage);
  if (item->stage == 0 && item->ticket != nullptr) item->ticket->begin();
  std::any task;
  try {
    task = at.submit(item->value);
  } catch (...) {
    refused(item, at.refused_error());
    return;
  }
  bool is_cut = false;
  {
    const Lock held = lock();
    item->value = task;
    item->submitted = true;
    is_cut = item->position >= cut_;
  }
  at.on_done(task, {shared_from_this(), item});
  if (is_cut) at.recall(task);
}

void PipelineFlow::refused(PipelineItems::iterator item, std::exception_ptr error) {
  item->error = std::move(error);
  item->fatal = true;
  PipelineItems out;
  Lock held = lock();
  Places& at = places_[item->stage];
  out.splice(out.end(), at.active, item);
  --active_count_;
  ++at.failed;
  if (item->position >= cut_) {
    leave(std::move(held));
  } else {
    arrive(std::move(out), std::move(held));
  }
}

void PipelineFlow::task_done(PipelineItems::iterator item) {
  leave_stage(item);
  pump();
}

void PipelineFlow::leave_stage(PipelineItems::iterator item) {
  const PipelineStage& of = stage(item->stage);
  const bool is_cancelled = of.cancelled(item->value);
  std::exception_ptr error = is_cancelled ? of.cancelled_error() : of.error(item->value);
  PipelineItems out;  // destroyed without the lock
  Lock held = lock();
  Places& at = places_[item->stage];
  out.splice(out.end(), at.active, item);
  --active_count_;
  will_pump();
  if (item->position >= cut_) {
    ++at.dropped;
    leave(std::move(held));
  } else if (error != nullptr) {
    ++at.failed;
    item->error = std::move(error);
    item->cancelled = is_cancelled;
    arrive(std::move(out), std::move(held));
  } else if (++at.out; item->stage + 1 == stages_.size()) {
    arrive(std::move(out), std::move(held));
  } else {
    item->place = PipelineItem::Place::held;
    at.held.splice(at.held.end(), out);
    leave(std::move(held));
  }
}

void PipelineFlow::release() {
  PipelineStages stages;  // destroyed without the lock
  const Lock held = lock();
  MUSTER_ASSERT(is_idle());
  stages.swap(stages_);
  places_.clear();
}

PipelineFlow::Cut PipelineFlow::cut_from(std::size_t position) {
  Cut cut;
  if (position >= cut_) return cut;
  cut_ = position;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    Places& at = places_[i];
    for (PipelineItems* list : {&at.waiting, &at.held}) {
      for (auto item = list->begin(); item != list->end();) {
        const auto each = item++;
        if (each->position >= position) cut.items.splice(cut.items.end(), *list, each);
      }
    }
    for (const PipelineItem& each : at.active) {
      if (each.submitted && each.position >= position)
        cut.tasks.emplace_back(&stage(i), each.value);
    }
  }
  return cut;
}

PipelineItems PipelineFlow::take_idle(PipelineItems::iterator item) {
  Places& at = places_[item->stage];
  PipelineItems out;
  out.splice(out.end(), item->place == PipelineItem::Place::held ? at.held : at.waiting, item);
  return out;
}

bool PipelineFlow::sleep_until_ready(Lock& lock, std::optional<TimePoint> deadline) {
  while (!ready()) {
    // A future rather than a condition variable: an executor whose thread sleeps here then knows
    // it, and has another one work meanwhile.
    const Future<void> woken = sleeper_.emplace().future();
    lock.unlock();
    std::optional<Duration> left;
    if (deadline) left = *deadline - Clock::now();
    // Without a deadline for as long as the functions run: their completion wakes this.
    const bool in_time = woken.wait(left);
    lock.lock();
    sleeper_.reset();
    if (!in_time) return ready();
  }
  return true;
}

void PipelineFlow::leave(Lock lock) {
  std::optional<Promise<void>> woken;
  if (sleeper_ && ready()) woken.swap(sleeper_);
  lock.unlock();
  if (woken) woken->set_value();
}

}  // namespace muster::detail
