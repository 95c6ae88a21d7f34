#include <muster/base/assert.hpp>
#include <muster/futures/completion_queue.hpp>

namespace muster::detail {

CompletionQueue::~CompletionQueue() {
  for (Watch& each : watches_) {
    if (!each.given) each.state->remove_listener(each);
  }
}

void CompletionQueue::Watch::on_done(bool) noexcept {
  const std::lock_guard lock(queue->mutex_);
  (queue->last_done_ != nullptr ? queue->last_done_->next_done : queue->first_done_) = this;
  queue->last_done_ = this;
  queue->changed_.notify_one();
}

void CompletionQueue::add(SharedStateBase& state) {
  Watch& added = watches_.emplace_back(*this, state, watches_.size());
  bool failed = false;
  if (!state.add_listener(added, failed)) added.on_done(failed);
}

std::optional<std::size_t> CompletionQueue::next(std::optional<TimePoint> deadline) {
  MUSTER_ASSERT(given_ < watches_.size());
  Watch* done = take_done();
  if (done == nullptr) run_callbacks_put_aside();
  const WaitHelper* const helper = WaitHelper::of_this_thread();
  if (done == nullptr && helper != nullptr && (!deadline || !helper->can_be_replaced())) {
    run_one_here();
    done = take_done();
  }
  while (done == nullptr) {
    if (!sleep(deadline)) return std::nullopt;
    done = take_done();
  }
  done->given = true;
  ++given_;
  return done->number;
}

CompletionQueue::Watch* CompletionQueue::take_done() {
  const std::lock_guard lock(mutex_);
  Watch* const first = first_done_;
  if (first == nullptr) return nullptr;
  first_done_ = first->next_done;
  if (first_done_ == nullptr) last_done_ = nullptr;
  return first;
}

// False if the deadline is over and nothing is done.
bool CompletionQueue::sleep(std::optional<TimePoint> deadline) {
  const WaitScope scope({});
  std::unique_lock lock(mutex_);
  const auto any_done = [this] { return first_done_ != nullptr; };
  if (deadline) return changed_.wait_until(lock, *deadline, any_done);
  changed_.wait(lock, any_done);  // for ever, as asked; every promise ends its futures
  return true;
}

// For a thread of a pool, whose tasks may be among them and may have no other thread to run. Not if
// there is a deadline and something else can run them: what is run here runs to its end.
void CompletionQueue::run_one_here() {
  while (run_here_from_ < watches_.size()) {
    Watch& each = watches_[run_here_from_++];
    if (!each.given && each.state->run_here()) return;
  }
}

}  // namespace muster::detail
