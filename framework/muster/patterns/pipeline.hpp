#pragma once

#include <any>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <variant>

#include <muster/executors/sending_executor.hpp>
#include <muster/patterns/pipeline_options.hpp>
#include <muster/patterns/pipeline_run.hpp>
#include <muster/patterns/pipeline_stage.hpp>
#include <muster/patterns/pipeline_submissions.hpp>

namespace muster {

/// The results of Pipeline::run(). An input range: it can be gone through once. Used by one thread,
/// the consuming one, which also takes the inputs: in run(), begin() and ++, as many as there is
/// room for. So an input that blocks holds up results that are there already.
///
/// begin() and ++ wait for the next result and throw what ended the run: what a function threw (at
/// the item's place if results come in the order of inputs: those before it are given first), what
/// the input range threw, Error if an executor takes no more tasks, TimeoutError, CancelledError
/// after a stop request. After that the range is at its end.
///
/// Destroying it, and an error that ends the run, cancel what has not started and wait for what
/// runs, so no task is left that could refer to what the caller destroys next. For a TimeoutError
/// that wait is in the destructor alone. The executors must outlive it; the Pipeline need not.
template <class Out>
class [[nodiscard]] PipelineResults {
  struct Impl;

 public:
  /// std::monostate if the last stage returns nothing.
  using Value = std::conditional_t<std::is_void_v<Out>, std::monostate, Out>;

  /// Made by Pipeline::run(); takes the first inputs.
  explicit PipelineResults(std::shared_ptr<detail::PipelineRun> run)
      : impl_(std::make_unique<Impl>(std::move(run))) {
    impl_->run->begin();
  }

  class iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using reference = Value&;
    using pointer = Value*;

    iterator() = default;
    Value& operator*() const { return *impl_->current; }
    Value* operator->() const { return &*impl_->current; }
    iterator& operator++() {
      impl_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) {
      return at.impl_ == nullptr || !at.impl_->current;
    }

   private:
    friend class PipelineResults;
    explicit iterator(Impl* impl) : impl_(impl) {}
    Impl* impl_ = nullptr;
  };

  /// Waits for the first result; to be called once.
  iterator begin() {
    impl_->advance();
    return iterator(impl_.get());
  }
  std::default_sentinel_t end() const noexcept { return {}; }

  /// A snapshot; thread-safe.
  PipelineStats stats() const { return impl_->run->stats(); }

 private:
  struct Impl {
    explicit Impl(std::shared_ptr<detail::PipelineRun> made) : run(std::move(made)) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() { run->end(); }

    void advance() {
      current.reset();
      if (ended) return;
      ended = true;  // if this throws
      const std::any next = run->next();
      ended = !next.has_value();
      if (ended) return;
      if constexpr (std::is_void_v<Out>) {
        current.emplace();
      } else {
        current.emplace(std::any_cast<Future<Out>>(&next)->take());
      }
    }

    std::shared_ptr<detail::PipelineRun> run;
    std::optional<Value> current;
    bool ended = false;
  };

  std::unique_ptr<Impl> impl_;
};

/// Stages that every input goes through, one after the other, each in an executor of its own choice
/// and with a limit of its own on how many of its items are there at a time. Made by pipeline().
///
///     auto images = muster::pipeline<std::string>()
///                       .stage(threads, fetch, {.concurrency = 8, .queue_max = 16})
///                       .stage(processes, resize)
///                       .stage(threads, store, {.name = "store"});
///     for (auto& stored : images.run(urls)) ...
///
/// Rules, and why:
/// - Between the input and the results that were fetched there are never more items than the sum of
///   all `concurrency` and `queue_max`: endless inputs and slow consumers need no more memory.
/// - It has no thread. Stages go on in the threads that complete tasks; inputs are taken by the
///   thread that fetches results, and only then.
/// - A stage's function is copied for each item, and called with an rvalue of what the stage before
///   it returned; it may take a std::stop_token first. It is submitted as it is, so the executor
///   may be one of processes. The last stage may return nothing.
/// - Every run has queues and limits of its own, and so has all that is given to submit().
///
/// Thread-safe. Executors are referred to: they must outlive the pipeline, its runs and futures. Do
/// not destroy it, or a range of its results, in its own stages or in callbacks of its futures, nor
/// wait there for its results: that would wait for itself.
template <class In, class Out>
class Pipeline {
  static_assert(std::is_object_v<In>, "pipeline: the type of inputs must be that of an object");

 public:
  /// Made by stage(); see pipeline().
  explicit Pipeline(detail::PipelineStages stages)
      : stages_(std::move(stages)),
        submissions_(std::make_shared<detail::PipelineSubmissions>(stages_)) {}
  Pipeline(Pipeline&&) noexcept = default;
  Pipeline& operator=(Pipeline&& other) noexcept {
    std::swap(stages_, other.stages_);
    std::swap(submissions_, other.submissions_);
    return *this;
  }
  /// Waits until all that was given to submit() is at its end.
  ~Pipeline() {
    if (submissions_ != nullptr) submissions_->drain();
  }

  /// This pipeline with one more stage. Throws Error(usage) for sizes below 1.
  template <class F, ExecutorReference E>
  auto stage(E&& executor, F function, StageOptions options = {}) const {
    detail::assert_submittable<std::remove_cvref_t<E>, F, Out>();
    using Result = typename detail::StageResult<F, Out>::type;
    auto stages = stages_;
    stages.push_back(std::make_shared<detail::TypedPipelineStage<F, Out, Result>>(
        detail::as_executor(executor), stages.size(), std::move(options), std::move(function)));
    return Pipeline<In, Result>(std::move(stages));
  }

  /// Sends inputs through, and gives the results. It begins at once, and takes further inputs as
  /// results are fetched. A range given as an lvalue is referred to; one given as a temporary is
  /// kept, and its elements are moved from if it is a container.
  template <std::ranges::input_range Inputs>
  PipelineResults<Out> run(Inputs&& inputs, PipelineRunOptions options = {}) const {
    static_assert(std::convertible_to<std::ranges::range_value_t<Inputs>, In>,
                  "pipeline: the elements of the range are not of the pipeline's input type");
    return PipelineResults<Out>(std::make_shared<detail::PipelineRun>(
        stages_,
        std::make_unique<detail::TypedPipelineInput<In, Inputs>>(std::in_place,
                                                                 std::forward<Inputs>(inputs)),
        std::move(options)));
  }

  /// Sends one input through. It never blocks: what the first stage has no place for waits, without
  /// a limit. The future fails with what a stage's function threw, or with Error if an executor
  /// takes no more tasks. It is `running` from when its first stage was handed to the executor; its
  /// cancel() takes the item out where it waits, and cancels the task it is in otherwise.
  Future<Out> submit(In input) const {
    Promise<In> promise;
    promise.set_value(std::move(input));
    auto [ticket, future] = detail::TypedPipelineTicket<Out>::make();
    submissions_->submit(promise.future(), std::move(ticket));
    return std::move(future);
  }

  /// Of what was given to submit(). A run has its own.
  PipelineStats stats() const { return submissions_->stats(); }

 private:
  detail::PipelineStages stages_;
  std::shared_ptr<detail::PipelineSubmissions> submissions_;
};

/// A pipeline that has no stage yet.
template <class In>
class PipelineStart {
 public:
  /// A pipeline of one stage; see Pipeline::stage().
  template <class F, ExecutorReference E>
  auto stage(E&& executor, F function, StageOptions options = {}) const {
    return Pipeline<In, In>(detail::PipelineStages())
        .stage(std::forward<E>(executor), std::move(function), std::move(options));
  }
};

/// The beginning of a pipeline whose inputs are of type In.
template <class In>
PipelineStart<In> pipeline() {
  return {};
}

}  // namespace muster
