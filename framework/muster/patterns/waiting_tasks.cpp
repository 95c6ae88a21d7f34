#include <utility>
#include <vector>

#include <muster/patterns/waiting_tasks.hpp>

namespace muster::detail {

// Counted by its life: a future destroys its callbacks after they have run, or with itself.
class OpenTasks::Counted final : public CallbackBase {
 public:
  explicit Counted(std::shared_ptr<OpenTasks> open) : open_(std::move(open)) {
    const std::lock_guard lock(open_->mutex_);
    ++open_->count_;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() override {
    const std::lock_guard lock(open_->mutex_);
    if (--open_->count_ == 0) open_->changed_.notify_all();
  }
  void run(SharedStateBase& /*state*/) override {}

 private:
  std::shared_ptr<OpenTasks> open_;
};

OpenTasks::HandOver::HandOver(std::shared_ptr<OpenTasks> open, TaskBase& task)
    : open_(std::move(open)), task_(TaskPtr::share(task)) {
  const std::lock_guard lock(open_->mutex_);
  here_ = &open_->handed_on_;
  next_ = std::exchange(*here_, this);
  if (next_ != nullptr) next_->here_ = &next_;
  ++open_->count_;
}

OpenTasks::HandOver::~HandOver() {
  {
    const std::lock_guard lock(open_->mutex_);
    *here_ = next_;
    if (next_ != nullptr) next_->here_ = here_;
  }
  task_ = {};  // what it holds may refer to what is gone when nobody waits any more
  const std::lock_guard lock(open_->mutex_);
  if (--open_->count_ == 0) open_->changed_.notify_all();
}

void OpenTasks::add(const std::shared_ptr<OpenTasks>& open, TaskBase& task) {
  task.state().add_callback(std::make_unique<Counted>(open));
}

void OpenTasks::cancel_handed_on() {
  std::vector<TaskPtr> to_cancel;
  {
    const std::lock_guard lock(mutex_);
    for (const HandOver* each = handed_on_; each != nullptr; each = each->next_) {
      to_cancel.push_back(TaskPtr::share(*each->task_));
    }
  }
  for (const TaskPtr& task : to_cancel) cancel_unless_running(*task);
}

bool OpenTasks::await_none(std::optional<Duration> timeout) {
  if (!home_process_.is_here()) return true;  // nobody ends them in a forked child
  const auto none = [this] { return count_ == 0; };
  {
    const std::lock_guard lock(mutex_);
    if (none()) return true;
  }
  run_callbacks_put_aside();
  const WaitScope scope({});
  std::unique_lock lock(mutex_);
  if (timeout) return changed_.wait_until(lock, deadline_after(Clock::now(), *timeout), none);
  changed_.wait(lock, none);  // for ever, as asked: every task ends
  return true;
}

bool WaitingTasks::cancel(SharedStateBase& work) {
  const TaskPtr task = take_out(work);
  return task && task->state().cancel();  // nobody controls it now, so the state decides
}

bool WaitingTasks::expire(SharedStateBase& work, const std::exception_ptr& error,
                          bool /*also_running*/) {
  TaskPtr task = take_out(work);
  if (!task) return false;
  task->extras().expired = true;
  end_with_error(std::move(task), error);
  return true;
}

void cancel_unless_running(TaskBase& task) {
  task.state().stop({.highest = CancelRung::withdrawn, .grace = Duration::zero()});
}

void end_with_error(TaskPtr task, std::exception_ptr error) noexcept {
  if (!task->start()) return;
  task->refuse(std::move(error));
  finish(std::move(task)).run();
}

}  // namespace muster::detail
