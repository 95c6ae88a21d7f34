#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <muster/executors/call_task.hpp>
#include <muster/executors/deadlines.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/futures/errors.hpp>

namespace muster {

/// How Executor::map() goes through its inputs.
struct MapOptions {
  /// From the call of map() until the result asked for is there; over it, asking throws
  /// TimeoutError and what has not started is cancelled. None: for ever.
  std::optional<Duration> timeout = std::nullopt;
  /// Inputs that one task works on. None: measured as it goes, for about 1 ms of work a task.
  std::optional<int> chunk_size = std::nullopt;
  /// Inputs taken, at most, whose results have not been given: so an endless input stays lazy.
  /// None: 16,384.
  std::optional<int> buffer_size = std::nullopt;
};

namespace detail {

/// Several ranges gone through in step, to the end of the shortest. Holds what was given as a
/// temporary, and refers to the rest. Must not be moved once made.
template <class... Ranges>
class ZippedInput {
 public:
  using Values = std::tuple<std::ranges::range_value_t<Ranges>...>;

  template <class... Given>
  explicit ZippedInput(Given&&... given) : ranges_(std::forward<Given>(given)...) {}
  ZippedInput(const ZippedInput&) = delete;
  ZippedInput& operator=(const ZippedInput&) = delete;

  bool at_end() {
    if (!at_) at_.emplace(begins(std::index_sequence_for<Ranges...>()));
    return any_at_end(std::index_sequence_for<Ranges...>());
  }
  Values take() {  // not at the end
    return std::apply([](auto&... each) { return Values{*each++...}; }, *at_);
  }

 private:
  template <std::size_t... I>
  auto begins(std::index_sequence<I...>) {
    return std::tuple(std::ranges::begin(std::get<I>(ranges_))...);
  }
  template <std::size_t... I>
  bool any_at_end(std::index_sequence<I...>) {
    return ((std::get<I>(*at_) == std::ranges::end(std::get<I>(ranges_))) || ...);
  }

  std::tuple<Ranges...> ranges_;  // a reference for what was given as an lvalue
  std::optional<
      std::tuple<decltype(std::ranges::begin(std::declval<std::remove_reference_t<Ranges>&>()))...>>
      at_;
};

template <class R>
using MapValue = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

/// What became of one input.
template <class R>
using MapItem = std::variant<MapValue<R>, std::exception_ptr>;

template <class R>
struct MapChunk {
  std::vector<MapItem<R>> items;
  Duration elapsed{};
};

/// An error of one input, on its way out of a task process: what encode_error_of() said of it.
struct EncodedError {
  Bytes description;
};

/// The function of a task that works on several inputs: each has an outcome of its own.
template <class F, class Values, class R>
struct CallForEach {
  F function;

  MapChunk<R> operator()(std::vector<Values>&& inputs) {
    return call_each(inputs, [](auto& calls) -> std::exception_ptr {
      try {
        calls();
        return nullptr;
      } catch (...) {
        return std::current_exception();
      }
    });
  }

  /// In a task process: the errors are EncodedErrors.
  MapChunk<R> call_remotely(std::vector<Values>&& inputs) {
    return call_each(inputs, [](auto& calls) -> std::exception_ptr {
      std::optional<Bytes> error = encode_error_of(calls);
      return error ? std::make_exception_ptr(EncodedError{std::move(*error)}) : nullptr;
    });
  }

 private:
  /// `error_of` runs calls until one throws, and gives what it threw.
  template <class ErrorOf>
  MapChunk<R> call_each(std::vector<Values>& inputs, ErrorOf error_of) {
    const TimePoint start = Clock::now();
    MapChunk<R> out;
    out.items.reserve(inputs.size());
    auto calls = [&] {
      while (out.items.size() < inputs.size()) {
        out.items.push_back(call(inputs[out.items.size()]));
      }
    };
    while (std::exception_ptr error = error_of(calls)) {
      out.items.emplace_back(std::in_place_index<1>, std::move(error));
    }
    out.elapsed = Clock::now() - start;
    return out;
  }

  MapItem<R> call(Values& input) {
    if constexpr (std::is_void_v<R>) {
      std::apply(function, std::move(input));
      return MapItem<R>(std::in_place_index<0>);
    } else {
      return MapItem<R>(std::in_place_index<0>, std::apply(function, std::move(input)));
    }
  }
};

template <class F, class Values, class R>
inline constexpr bool has_remote_call<CallForEach<F, Values, R>> = true;

/// Results and errors travel side by side.
template <class R>
struct ResultCodec<MapChunk<R>> {
  static constexpr bool is_sendable = ResultCodec<R>::is_sendable;

  static void send(ResultSink& out, const MapChunk<R>& chunk) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.fixed(chunk.elapsed.count());
    writer.fixed<std::uint64_t>(chunk.items.size());
    for (const MapItem<R>& each : chunk.items) {
      writer.fixed(each.index() == 0);
      if (each.index() == 0) {
        encode_message(bytes, std::get<0>(each));
      } else {
        writer.string(description_of(std::get<1>(each)));
      }
    }
    out.send(bytes);
  }

  static MapChunk<R> decode(Bytes&& bytes) {
    ByteReader in(bytes, "results of a map");
    MapChunk<R> out;
    out.elapsed = Duration(in.fixed<Duration::rep>());
    const auto count = in.fixed<std::uint64_t>();
    out.items.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(count, in.remaining())));
    for (std::uint64_t i = 0; i < count; ++i) {
      if (in.fixed<bool>()) {
        out.items.emplace_back(std::in_place_index<0>, decode_message<MapValue<R>>(in));
      } else {
        out.items.emplace_back(std::in_place_index<1>, decode_exception(in.string()));
      }
    }
    in.finish();
    return out;
  }

 private:
  static Bytes description_of(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const EncodedError& encoded) {
      return encoded.description;
    }
  }
};

/// How many inputs the next task of a map gets.
class ChunkSizer {
 public:
  ChunkSizer(const MapOptions& options, unsigned workers);  ///< throws Error(usage)

  std::size_t chunk() const noexcept { return chunk_; }
  std::size_t buffer() const noexcept { return buffer_; }
  void measured(std::size_t inputs, Duration elapsed) noexcept;

 private:
  bool is_fixed_;
  std::size_t buffer_;
  std::size_t chunk_ = 1;
  std::size_t chunk_max_;
};

}  // namespace detail

/// The results of Executor::map(), in the order of the inputs. An input range: it can be gone
/// through once. Used by one thread.
///
/// Dereferencing gives the result, or throws what the function threw for that input; incrementing
/// after that goes on with the next one. Results are not held longer than they are looked at. When
/// this is destroyed, what has not started is cancelled; detach() lets it run. The executor must
/// outlive the iteration.
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
  void detach() noexcept { impl_->flying.clear(); }

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
  };

  struct Impl {
    template <class... Given>
    Impl(detail::TaskSink& to, unsigned workers, F call, const MapOptions& options,
         Given&&... given)
        : sink(to),
          function(std::move(call)),
          source(std::forward<Given>(given)...),
          sizer(options, workers) {
      const TimePoint now = Clock::now();
      if (options.timeout && *options.timeout < TimePoint::max() - now) {
        deadline = now + *options.timeout;
      }
    }

    void fill() {
      while (taken < sizer.buffer() && !source.at_end()) {
        const std::size_t size = std::min(sizer.chunk(), sizer.buffer() - taken);
        std::vector<Values> inputs;
        inputs.reserve(size);
        while (inputs.size() < size && !source.at_end()) inputs.push_back(source.take());
        taken += inputs.size();
        const std::size_t count = inputs.size();
        auto [task, future] =
            detail::make_task(detail::CallForEach<F, Values, R>{function}, std::move(inputs));
        detail::inherit_deadline(*task);
        sink.execute(std::move(task));
        flying.push_back({std::move(future), count});
      }
    }

    void advance() {
      if (at + 1 < current.items.size()) {
        current.items[at++].template emplace<1>();  // let go of what was given
        --taken;
        if (at % refill_interval == 0) fill();
        return;
      }
      if (!current.items.empty()) --taken;
      current.items.clear();
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
      current = first.future.take();
      sizer.measured(first.inputs, current.elapsed);
    }

    typename iterator::reference value() {
      auto& item = current.items[at];
      if (item.index() == 1) std::rethrow_exception(std::get<1>(item));
      return std::get<0>(item);
    }

    void cancel_rest() {
      for (Flying& each : flying) each.future.cancel();
      flying.clear();
    }

    static constexpr std::size_t refill_interval = 64;

    detail::TaskSink& sink;
    F function;
    Source source;
    detail::ChunkSizer sizer;
    std::optional<TimePoint> deadline;
    std::deque<Flying> flying;
    std::size_t taken = 0;  // inputs taken whose results were not given
    Chunk current;
    std::size_t at = 0;
    bool ended = false;
  };

  std::unique_ptr<Impl> impl_;
};

}  // namespace muster
