#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <muster/base/error.hpp>
#include <muster/base/units.hpp>
#include <muster/executors/deadlines.hpp>
#include <muster/executors/encode_call.hpp>
#include <muster/executors/function_codec.hpp>

namespace muster::detail {
namespace {

/// Whose a task with a deadline is while its arguments are read: the timer, which would destroy
/// them, has to leave it alone.
class Encoding final : public TaskHome,
                       public WorkControl,
                       public std::enable_shared_from_this<Encoding> {
 public:
  std::shared_ptr<WorkControl> control() noexcept override { return shared_from_this(); }
  bool cancel(SharedStateBase& work) override {
    DoneCallbacks callbacks;
    {
      const std::lock_guard lock(mutex_);
      if (is_over_) return false;
      callbacks = work.set_cancelled();
    }
    callbacks.run();
    return true;
  }
  bool started(SharedStateBase& /*work*/) override { return false; }
  void end() {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }

 private:
  std::mutex mutex_;
  bool is_over_ = false;
};

void encode_bounded(TaskBase& task, std::uint64_t bytes_max, EncodedCall& out,
                    const std::function<void()>& use) {
  task.encode(out);
  if (out.size() <= bytes_max + 2 * function_bytes_extra) {
    if (use) use();
    return;
  }
  throw Error(ErrorCode::limit, "the call has " + format_bytes(out.size()) +
                                    ", more than the limit of " + format_bytes(bytes_max));
}

}  // namespace

void require_sendable(const TaskBase& task) {
  const RemoteCall& remote = task.remote();
  if (remote.function != nullptr) return;
  throw Error(ErrorCode::usage,
              std::string("the task cannot be sent to another process: ") + remote.refusal,
              "give a plain function, a lambda without captures or with plain ones, and arguments "
              "and results that can be encoded: see docs/sending.md");
}

void encode_call(TaskBase& task, std::uint64_t bytes_max, EncodedCall& out,
                 const std::function<void()>& use) {
  if (!has_deadline(task)) {
    encode_bounded(task, bytes_max, out, use);
    return;
  }
  const auto encoding = std::make_shared<Encoding>();
  if (!task.move_to(encoding.get())) return;
  const auto take_back = [&] {
    encoding->end();
    task.move_to(nullptr);
  };
  try {
    encode_bounded(task, bytes_max, out, use);
  } catch (...) {
    take_back();
    throw;
  }
  take_back();
  expire_if_due(task);
}

void end_with_current_exception(TaskPtr task) {
  if (!task->start()) return;
  task->refuse(std::current_exception());
  finish(std::move(task)).run();
}

}  // namespace muster::detail
