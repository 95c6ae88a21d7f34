#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <muster/executors/call_task.hpp>
#include <muster/executors/deadlines.hpp>
#include <muster/executors/errors.hpp>
#include <muster/executors/map_chunk.hpp>
#include <muster/executors/map_sizes.hpp>
#include <muster/executors/zipped_input.hpp>
#include <muster/futures/errors.hpp>

namespace muster {

/// The results of Executor::map(), in the order of the inputs. An input range: it can be gone
/// through once. Used by one thread.
///
/// Dereferencing gives the result, or throws what the function threw for that input; incrementing
/// after that goes on with the next one. What ends a task as a whole (its process died) is thrown
/// for each of its inputs. Results are not held longer than they are looked at. When
/// this is destroyed, what has not started is cancelled, and what runs runs on; detach() lets all
/// of it run. begin() and incrementing submit more tasks, and throw what submit() throws. The
/// executor must outlive the iteration.
template <class F, class R, class... Ranges>
class [[nodiscard]] MapResults {
  using Source = detail::ZippedInput<Ranges...>;
  using Values = typename Source::Values;
  using Chunk = detail::MapChunk<R>;
  struct Impl;

 public:
  /// Made by Executor::map(); submits the first tasks.
  template <class... Given>
  MapResults(detail::TaskSink& sink, unsigned workers, F function, const MapOptions& options,
             Given&&... given)
      : impl_(std::make_unique<Impl>(sink, workers, std::move(function), options,
                                     std::forward<Given>(given)...)) {
    impl_->fill();
  }
  MapResults(MapResults&&) noexcept = default;
  MapResults& operator=(MapResults&&) noexcept = default;
  ~MapResults() {
    if (impl_ != nullptr) impl_->cancel_rest();
  }

  /// What was submitted runs, though nobody will see its results; no more input is taken.
  void detach() noexcept {
    impl_->flying.clear();
    impl_->refused.clear();
  }

  class iterator {
   public:
    using value_type = detail::MapValue<R>;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using reference = value_type&;
    using pointer = value_type*;

    iterator() = default;
    reference operator*() const { return impl_->value(); }
    iterator& operator++() {
      impl_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) { return at.impl_->ended; }

   private:
    friend class MapResults;
    explicit iterator(Impl* impl) : impl_(impl) {}
    Impl* impl_ = nullptr;
  };

  /// Waits for the first result; to be called once.
  iterator begin() {
    impl_->advance();
    return iterator(impl_.get());
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  struct Flying {
    Future<Chunk> future;
    std::size_t inputs;
    std::size_t input_bytes;
  };

  struct Impl {
    template <class... Given>
    Impl(detail::TaskSink& to, unsigned workers, F call, const MapOptions& options,
         Given&&... given)
        : sink(to),
          function(std::move(call)),
          source(std::forward<Given>(given)...),
          sizer(options, workers),
          buffer(options) {
      const TimePoint now = Clock::now();
      if (options.timeout && *options.timeout < TimePoint::max() - now) {
        deadline = now + *options.timeout;
      }
    }

    void fill() {
      if (!refused.empty() && !send(std::exchange(refused, {}))) return;
      while (buffer.room() != 0 && buffer.has_memory(0) && !source.at_end()) {
        const std::size_t size = std::min(sizer.chunk(), buffer.room());
        std::vector<Values> inputs;
        inputs.reserve(size);
        std::size_t bytes = 0;
        do {
          inputs.push_back(source.take());
          bytes += detail::held_bytes(inputs.back());
        } while (inputs.size() < size && buffer.has_memory(bytes) && !source.at_end());
        buffer.sent(inputs.size(), bytes);
        last_bytes = bytes;
        if (!send(std::move(inputs))) return;
      }
    }

    // False if the executor's queue is full, perhaps of tasks of this map: then the inputs are kept
    // until those are done.
    bool send(std::vector<Values> inputs) {
      using Call = detail::CallForEach<F, Values, R>;
      const std::size_t count = inputs.size();
      auto [task, future] = detail::make_task(Call{function}, std::move(inputs));
      detail::inherit_deadline(*task);
      try {
        sink.execute(detail::TaskPtr::share(*task));
      } catch (const QueueFullError&) {
        auto& made = static_cast<detail::Task<Call, std::vector<Values>>&>(*task);
        const auto keep = [this](std::tuple<Call, std::vector<Values>>&& call) {
          refused = std::get<1>(std::move(call));
        };
        if (made.take_back(std::current_exception(), keep)) {
          if (flying.empty()) throw;
          return false;
        }
      }
      flying.push_back({std::move(future), count, last_bytes});
      return true;
    }

    void advance() {
      if (at + 1 < current.items.size()) {
        current.items[at++].template emplace<1>();  // let go of what was given
        buffer.gave_one();
        if (at % refill_interval == 0) fill();
        return;
      }
      if (!current.items.empty()) buffer.gave_one();
      current.items.clear();
      buffer.gave_all();
      at = 0;
      fill();
      ended = flying.empty();
      if (ended) return;
      take_chunk();
    }

    void take_chunk() {
      std::optional<Duration> left;
      if (deadline) left = std::max(Duration::zero(), *deadline - Clock::now());
      if (!flying.front().future.wait(left)) {
        ended = true;
        cancel_rest();
        throw TimeoutError("the results of a map were not all there in time");
      }
      Flying first = std::move(flying.front());
      flying.pop_front();
      try {
        current = first.future.take();
        sizer.measured(first.inputs, current.elapsed);
      } catch (...) {
        // Of the task as a whole: its process died, say. That is what became of each of its inputs.
        while (current.items.size() < first.inputs) {
          current.items.emplace_back(std::in_place_index<1>, std::current_exception());
        }
      }
      buffer.arrived(first.inputs, first.input_bytes, held_bytes(current));
    }

    typename iterator::reference value() {
      auto& item = current.items[at];
      if (item.index() == 1) std::rethrow_exception(std::get<1>(item));
      return std::get<0>(item);
    }

    void cancel_rest() {
      // What runs may be in the middle of something: it is not killed for a result nobody wants.
      for (Flying& each : flying) each.future.stop({.highest = CancelRung::recalled});
      flying.clear();
      refused.clear();
    }

    static constexpr std::size_t refill_interval = 64;

    detail::TaskSink& sink;
    F function;
    Source source;
    detail::ChunkSizer sizer;
    detail::MapBuffer buffer;
    std::optional<TimePoint> deadline;
    std::deque<Flying> flying;
    std::vector<Values> refused;
    std::size_t last_bytes = 0;  // of the inputs that were taken last
    Chunk current;
    std::size_t at = 0;
    bool ended = false;
  };

  std::unique_ptr<Impl> impl_;
};

}  // namespace muster
