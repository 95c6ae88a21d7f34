#pragma once

#include <any>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include <muster/patterns/input_source.hpp>
#include <muster/patterns/pipeline_flow.hpp>

namespace muster::detail {

/// The inputs of a run, with their type forgotten. Used by the consuming thread.
class PipelineInput {
 public:
  virtual ~PipelineInput() = default;
  /// The next one, in a finished future; nothing at the end. Throws what the range throws.
  virtual std::any take() = 0;
};

template <class In, class Range>
class TypedPipelineInput final : public PipelineInput {
 public:
  template <class Given>
  explicit TypedPipelineInput(std::in_place_t /*unused*/, Given&& given)
      : source_(std::in_place, std::forward<Given>(given)) {}

  std::any take() override {
    if (source_.at_end()) return {};
    Promise<In> promise;
    promise.set_value(source_.take());
    return promise.future();
  }

 private:
  InputSource<Range> source_;
};

/// What has come out of the stages and was not given yet, in the order wanted. Not thread-safe.
class PipelineOutput {
 public:
  explicit PipelineOutput(Order order) noexcept : order_(order) {}

  void expect() {  ///< one item more, in the order of their positions
    if (order_ == Order::input) in_order_.emplace_back();
  }
  void put(PipelineItems item);
  bool has_next() const noexcept {
    return order_ == Order::input ? !in_order_.empty() && !in_order_.front().empty()
                                  : !completed_.empty();
  }
  PipelineItems take_next();

 private:
  Order order_;
  std::deque<PipelineItems> in_order_;  // one for each that is expected; empty until it is there
  std::size_t first_position_ = 0;      // of in_order_
  PipelineItems completed_;
};

/// One pass of inputs through a pipeline, pulled by one thread. At most as many items as all queues
/// and stages have places are between the input and that thread, results not fetched included: so
/// the last stage can always put down what it has, and what is waited for can always get through.
class PipelineRun final : public PipelineFlow {
 public:
  PipelineRun(PipelineStages stages, std::unique_ptr<PipelineInput> input,
              PipelineRunOptions options);

  /// Takes the first inputs. To be called once, by the consuming thread as all that follows.
  void begin();

  /// The future of the next result; nothing at the end. Waits for it, and takes inputs while it
  /// waits. Throws what ended the run; not to be called again after that.
  std::any next();

  /// Cancels what has not started, waits for what runs, and lets go of all that is the user's.
  void end();

 private:
  struct StopRun {
    PipelineRun* run;
    void operator()() const { run->on_stop_request(); }
  };

  void arrive(PipelineItems item, Lock lock) override;
  bool ready() const override;
  bool may_take() const;
  void take_inputs();
  PipelineItems await_item();
  void stop_and_wait();
  bool is_dead_letter(const PipelineItem& item) const;
  void give_dead_letter(const PipelineItem& item) const;
  void on_stop_request();

  std::unique_ptr<PipelineInput> input_;
  PipelineRunOptions options_;
  std::optional<TimePoint> deadline_;
  std::size_t items_max_ = 0;
  std::size_t queue_low_ = 0;  // from this length on of the first queue, inputs are wanted

  // With the lock.
  PipelineOutput output_;
  std::size_t taken_ = 0;
  std::size_t in_flight_ = 0;  // taken and not given
  bool input_ended_ = false;
  bool stop_requested_ = false;
  bool ending_ = false;

  std::optional<std::stop_callback<StopRun>> on_stop_;
};

}  // namespace muster::detail
