#pragma once

#include <any>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

#include <muster/futures/promise.hpp>
#include <muster/patterns/pipeline_flow.hpp>

namespace muster::detail {

class PipelineSubmissions;

/// The promise for what becomes of one item, and who is asked when its future is cancelled.
class PipelineTicket : public WorkControl {
 public:
  virtual void begin() = 0;
  /// The item is at its end: `value` is the last stage's future, if there is no error.
  virtual void finish(const PipelineItem& item) noexcept = 0;
  virtual void finish_cancelled() = 0;

  bool cancel(SharedStateBase& work) override;
  bool started(SharedStateBase& /*work*/) override { return false; }

 private:
  friend class PipelineSubmissions;
  std::shared_ptr<PipelineSubmissions> flow_;
  PipelineItems::iterator item_;  // with the flow's lock
  bool on_its_way_ = false;       // with the flow's lock; item_ is valid
};

/// The items that are given to a pipeline one by one. The first queue has no limit.
class PipelineSubmissions final : public PipelineFlow {
 public:
  using PipelineFlow::PipelineFlow;

  /// `input` is a finished future of the first stage's type.
  void submit(std::any input, const std::shared_ptr<PipelineTicket>& ticket);
  bool cancel(PipelineTicket& ticket);
  /// Waits until every item is at its end. Nothing can be submitted after that.
  void drain();

 private:
  void arrive(PipelineItems item, Lock lock) override;
  bool ready() const override { return on_their_way_ == 0 && is_idle(); }
  void note_end();

  std::size_t on_their_way_ = 0;
  std::size_t next_position_ = 0;
};

template <class Out>
class TypedPipelineTicket final : public PipelineTicket {
 public:
  static std::pair<std::shared_ptr<PipelineTicket>, Future<Out>> make() {
    auto made = std::make_shared<TypedPipelineTicket>();
    made->promise_.on_cancel(made);
    Future<Out> future = made->promise_.future();
    return {std::move(made), std::move(future)};
  }

  void begin() override { promise_.set_running(); }
  void finish_cancelled() override { promise_.set_cancelled().run(); }
  void finish(const PipelineItem& item) noexcept override {
    if (item.error != nullptr) {
      promise_.set_exception(item.error);
      return;
    }
    try {
      const auto& last = *std::any_cast<Future<Out>>(&item.value);
      if constexpr (std::is_void_v<Out>) {
        promise_.set_value();
      } else {
        promise_.set_value(last.take());
      }
    } catch (...) {
      promise_.set_exception(std::current_exception());
    }
  }

 private:
  Promise<Out> promise_;
};

}  // namespace muster::detail
