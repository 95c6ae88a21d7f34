#pragma once

#include <exception>
#include <memory>
#include <utility>

#include <muster/base/bytes.hpp>
#include <muster/executors/task.hpp>

namespace muster::detail {

/// A call of a plain TaskFunction with bytes: what ProcessPoolExecutor::submit_raw() makes. It runs
/// in task processes only.
class RawTask final : public SharedState<Bytes>, public TaskBase {
 public:
  RawTask(TaskFunction function, Bytes argument)
      : TaskBase(static_cast<SharedStateBase&>(*this)),
        function_(function),
        argument_(std::move(argument)) {}

  void invoke() noexcept override;
  void refuse(std::exception_ptr error) noexcept override { keep_error(std::move(error)); }
  const RemoteCall& remote() const noexcept override;
  void encode(EncodedCall& out) const override;
  void accept(Bytes&& result) noexcept override {
    emplace_value([&] { return std::move(result); });
  }
  DoneCallbacks complete_and_drop() noexcept override {
    return SharedStateBase::complete_and_drop();
  }
  bool make_repeatable() noexcept override { return true; }
  void trigger_stop() noexcept override {}
  void rearm() noexcept override {
    reopen(home, [] {});
  }
  std::exception_ptr kept_error() const noexcept override { return error(); }
  std::shared_ptr<WorkControl> control() noexcept override;

 private:
  TaskFunction function_;
  Bytes argument_;
};

}  // namespace muster::detail
