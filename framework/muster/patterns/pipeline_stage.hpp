#pragma once

#include <any>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/executors/executor.hpp>
#include <muster/patterns/pipeline_options.hpp>

namespace muster::detail {

class PipelineFlow;
class PipelineTicket;

/// One input's way through a pipeline.
struct PipelineItem {
  enum class Place : std::uint8_t { waiting, active, held };

  std::size_t position = 0;
  std::size_t stage = 0;  // that it is in, or that it failed in
  Place place = Place::waiting;
  bool submitted = false;  // active: `value` can be cancelled
  bool cancelled = false;  // by way of its task; then `error` says so
  bool fatal = false;      // `error` is not the item's own and ends the run
  // A Future of the stage's result; before the first stage one that holds the input. All types of
  // futures are of one pointer, which std::any keeps in itself.
  std::any value;
  std::exception_ptr error;
  std::shared_ptr<PipelineTicket> ticket;  // whoever waits for this item alone; or null
};

/// Items move between lists without being moved themselves, so references to them stay valid.
using PipelineItems = std::list<PipelineItem>;

/// The done callback of a stage's task.
struct PipelineTaskDone {
  std::shared_ptr<PipelineFlow> flow;
  PipelineItems::iterator item;
  void operator()() const;
};

/// A stage, with its types forgotten: all that goes in and out are futures in a std::any. The flow
/// of items is thus compiled once, and only what is here for each stage. Immutable; thread-safe.
class PipelineStage {
 public:
  /// Throws Error(usage) for sizes below 1.
  PipelineStage(Executor& executor, std::size_t number, StageOptions options);
  virtual ~PipelineStage() = default;
  PipelineStage(const PipelineStage&) = delete;
  PipelineStage& operator=(const PipelineStage&) = delete;

  const std::string& name() const noexcept { return name_; }
  std::size_t concurrency() const noexcept { return concurrency_; }
  std::size_t queue_max() const noexcept { return queue_max_; }

  /// Takes the value out of a finished future and submits it. Gives the task's future.
  virtual std::any submit(const std::any& input) const = 0;
  virtual void on_done(const std::any& task, PipelineTaskDone callback) const = 0;
  virtual bool cancel(const std::any& task) const = 0;
  /// Cancels it if it has not started, and else asks it to stop, if its function can be asked.
  virtual void recall(const std::any& task) const = 0;
  virtual bool cancelled(const std::any& task) const = 0;
  virtual std::exception_ptr error(const std::any& task) const = 0;  ///< of a task that is done

  /// What became of an item whose task was cancelled by the executor.
  std::exception_ptr cancelled_error() const;
  /// Says of the exception being handled that it came from submit(); it is nested in that.
  std::exception_ptr refused_error() const;

 protected:
  Executor& executor() const noexcept { return *executor_; }

 private:
  Executor* executor_;
  std::size_t number_;
  std::string name_;
  std::size_t concurrency_;
  std::size_t queue_max_;
};

using PipelineStages = std::vector<std::shared_ptr<const PipelineStage>>;

template <class F, class In>
struct StageResult {
  static_assert(!std::is_void_v<In>,
                "pipeline: the stage before this one returns nothing, so it must be the last");
  static_assert(std::copy_constructible<F>,
                "pipeline: a stage's function is copied for every item, so it must be copyable");
  static_assert(std::invocable<F, In> || std::invocable<F, std::stop_token, In>,
                "pipeline: the stage's function cannot be called with an rvalue of what the stage "
                "before it returns");
  using type = typename decltype(std::declval<Executor&>().submit(std::declval<const F&>(),
                                                                  std::declval<In>()))::value_type;
};

template <class F, class In, class Out>
class TypedPipelineStage final : public PipelineStage {
 public:
  TypedPipelineStage(Executor& executor, std::size_t number, StageOptions options, F function)
      : PipelineStage(executor, number, std::move(options)), function_(std::move(function)) {}

  // What the executor gets is the function itself: nothing of the pipeline has to travel with it.
  std::any submit(const std::any& input) const override {
    return executor().submit(function_, future<In>(input).take());
  }
  void on_done(const std::any& task, PipelineTaskDone callback) const override {
    future<Out>(task).add_done_callback(std::move(callback));
  }
  bool cancel(const std::any& task) const override { return future<Out>(task).cancel(); }
  void recall(const std::any& task) const override {
    future<Out>(task).stop({.highest = CancelRung::stop_requested, .grace = Duration::zero()});
  }
  bool cancelled(const std::any& task) const override { return future<Out>(task).cancelled(); }
  std::exception_ptr error(const std::any& task) const override {
    return future<Out>(task).exception(Duration::zero());
  }

 private:
  template <class T>
  static const Future<T>& future(const std::any& value) {
    return *std::any_cast<Future<T>>(&value);
  }

  F function_;
};

}  // namespace muster::detail
