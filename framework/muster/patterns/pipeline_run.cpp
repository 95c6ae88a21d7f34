#include <algorithm>

#include <muster/base/assert.hpp>
#include <muster/patterns/pipeline_run.hpp>

namespace muster::detail {

void PipelineOutput::put(PipelineItems item) {
  if (order_ == Order::completion) {
    completed_.splice(completed_.end(), item);
    return;
  }
  in_order_[item.front().position - first_position_] = std::move(item);
}

PipelineItems PipelineOutput::take_next() {
  MUSTER_ASSERT(has_next());
  PipelineItems out;
  if (order_ == Order::completion) {
    out.splice(out.end(), completed_, completed_.begin());
  } else {
    out.swap(in_order_.front());
    in_order_.pop_front();
    ++first_position_;
  }
  return out;
}

PipelineRun::PipelineRun(PipelineStages stages, std::unique_ptr<PipelineInput> input,
                         PipelineRunOptions options)
    : PipelineFlow(stages),
      input_(std::move(input)),
      options_(std::move(options)),
      queue_low_(stages.front()->queue_max() / 2),
      output_(options_.order) {
  for (const auto& each : stages) items_max_ += each->queue_max() + each->concurrency();
  const TimePoint now = Clock::now();
  if (options_.timeout && *options_.timeout < TimePoint::max() - now) {
    deadline_ = now + *options_.timeout;
  }
}

void PipelineRun::begin() {
  on_stop_.emplace(options_.stop, StopRun{this});
  take_inputs();
}

std::any PipelineRun::next() {
  for (;;) {
    PipelineItems item = await_item();
    if (item.empty()) return {};
    PipelineItem& first = item.front();
    if (first.error == nullptr) return std::move(first.value);
    if (!is_dead_letter(first)) {
      stop_and_wait();
      std::rethrow_exception(first.error);
    }
    give_dead_letter(first);
  }
}

// The next item that is through, or failed; none at the end.
PipelineItems PipelineRun::await_item() {
  for (;;) {
    take_inputs();
    Lock held = lock();
    if (!sleep_until_ready(held, deadline_)) {
      Cut cut = cut_from(0);
      held.unlock();
      cut.carry_out();
      throw TimeoutError("the results of a pipeline were not all there in time");
    }
    if (stop_requested_) {
      held.unlock();
      stop_and_wait();
      throw CancelledError("the run of a pipeline was stopped");
    }
    if (output_.has_next()) {
      --in_flight_;
      return output_.take_next();
    }
    if (input_ended_ && in_flight_ == 0) return {};
  }
}

bool PipelineRun::ready() const {
  if (ending_) return is_idle();
  return stop_requested_ || output_.has_next() || (input_ended_ && in_flight_ == 0) ||
         (may_take() && first_waiting() <= queue_low_);
}

bool PipelineRun::may_take() const {
  return !input_ended_ && !is_cut() && in_flight_ < items_max_ &&
         first_waiting() < stage(0).queue_max();
}

void PipelineRun::take_inputs() {
  for (;;) {
    {
      const Lock held = lock();
      if (!may_take()) return;
    }
    PipelineItems item(1);
    PipelineItem& taken = item.front();
    try {
      taken.value = input_->take();
    } catch (...) {
      taken.error = std::current_exception();
      taken.fatal = true;
    }
    Lock held = lock();
    input_ended_ = taken.error != nullptr || !taken.value.has_value();
    if (!taken.value.has_value() && taken.error == nullptr) return;
    if (is_cut()) return;  // stopped while the input was awaited
    taken.position = taken_++;
    ++in_flight_;
    output_.expect();
    if (taken.error != nullptr) {
      arrive(std::move(item), std::move(held));
    } else {
      enter(std::move(item), std::move(held));
    }
  }
}

void PipelineRun::arrive(PipelineItems item, Lock lock) {
  Cut cut;
  const PipelineItem& arrived = item.front();
  if (arrived.error != nullptr && !is_dead_letter(arrived)) {
    // It ends the run. In the order of inputs those before it still get through.
    cut = cut_from(options_.order == Order::input ? arrived.position + 1 : 0);
  }
  output_.put(std::move(item));
  leave(std::move(lock));
  cut.carry_out();
}

bool PipelineRun::is_dead_letter(const PipelineItem& item) const {
  return options_.dead_letter != nullptr && !item.fatal;
}

void PipelineRun::give_dead_letter(const PipelineItem& item) const {
  options_.dead_letter({.position = item.position,
                        .stage = item.stage,
                        .stage_name = stage(item.stage).name(),
                        .error = item.error});
}

void PipelineRun::on_stop_request() {
  Lock held = lock();
  stop_requested_ = true;
  Cut cut = cut_from(0);
  leave(std::move(held));
  cut.carry_out();
}

void PipelineRun::end() {
  stop_and_wait();
  output_ = PipelineOutput(options_.order);
  input_.reset();
  options_ = {};
  release();
}

void PipelineRun::stop_and_wait() {
  on_stop_.reset();
  Lock held = lock();
  Cut cut = cut_from(0);
  held.unlock();
  cut.carry_out();
  held.lock();
  ending_ = true;
  sleep_until_ready(held, std::nullopt);
}

}  // namespace muster::detail
