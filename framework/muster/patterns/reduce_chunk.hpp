#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <ranges>
#include <utility>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/executors/function_codec.hpp>
#include <muster/executors/map_results.hpp>
#include <muster/patterns/input_source.hpp>

namespace muster::detail {

/// How many inputs the next task of a map_reduce() gets, if it reduces them too. Used by one
/// thread.
class ReduceSizer {
 public:
  ReduceSizer(const MapOptions& options, unsigned workers);  ///< throws Error(usage)

  std::size_t chunk() const noexcept { return chunk_; }
  /// Tasks in flight at a time, at most: with their chunks they keep the buffer size.
  int chunks_max() const noexcept { return chunks_max_; }
  /// What one task took: later ones are to take about 1 ms.
  void measured(Duration elapsed) noexcept;

 private:
  bool is_fixed_;
  int chunks_max_ = 1;
  std::size_t chunk_ = 1;
  std::size_t chunk_max_ = 1;
};

/// The function of a task that maps a chunk of inputs and reduces what comes of them. It gives the
/// time that took in nanoseconds, too. An aggregate of what the user gave and no more, so that it
/// can travel wherever that can.
template <class Map, class Reduce, class Value, class Input>
struct ReduceChunk {
  Map map;
  Reduce reduce;

  std::pair<Value, std::int64_t> operator()(std::vector<Input>&& inputs) {
    const TimePoint start = Clock::now();
    auto at = std::make_move_iterator(inputs.begin());
    Value value = static_cast<Value>(std::invoke(map, *at));
    while (++at != std::make_move_iterator(inputs.end())) {
      value = static_cast<Value>(
          std::invoke(reduce, std::move(value), static_cast<Value>(std::invoke(map, *at))));
    }
    const std::int64_t elapsed_ns = Duration(Clock::now() - start).count();
    return {std::move(value), elapsed_ns};
  }
};

template <class Map, class Reduce, class Value, class Input>
struct FunctionCodec<ReduceChunk<Map, Reduce, Value, Input>> {
  using Chunk = ReduceChunk<Map, Reduce, Value, Input>;

  static void encode(Bytes& out, const Chunk& chunk) {
    FunctionCodec<Map>::encode(out, chunk.map);
    FunctionCodec<Reduce>::encode(out, chunk.reduce);
  }
  static Chunk decode(ByteReader& in) {
    return {FunctionCodec<Map>::decode(in), FunctionCodec<Reduce>::decode(in)};  // left to right
  }
};

/// The inputs as chunks, each as large as the sizer says when it is taken. An input range, to be
/// gone through once. The sizer must outlive it.
template <class Range>
class InputChunks {
  struct Impl;

 public:
  using Chunk = std::vector<typename InputSource<Range>::Value>;

  template <class Given>
  InputChunks(Given&& given, const ReduceSizer& sizer)
      : impl_(std::make_unique<Impl>(std::forward<Given>(given), sizer)) {}

  class iterator {
   public:
    using value_type = Chunk;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    /// What it++ gives, for *it++.
    struct Taken {
      Chunk chunk;
      Chunk&& operator*() { return std::move(chunk); }
    };

    iterator() = default;
    Chunk&& operator*() const { return std::move(impl_->current()); }
    iterator& operator++() {
      impl_->take();
      return *this;
    }
    Taken operator++(int) { return {impl_->take()}; }
    friend bool operator==(const iterator& at, std::default_sentinel_t) {
      return at.impl_->at_end();
    }

   private:
    friend class InputChunks;
    explicit iterator(Impl* impl) : impl_(impl) {}
    Impl* impl_ = nullptr;
  };

  iterator begin() { return iterator(impl_.get()); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  // A chunk is made when it is looked at, not before: inputs are taken as late as can be.
  struct Impl {
    template <class Given>
    Impl(Given&& given, const ReduceSizer& size)
        : source(std::in_place, std::forward<Given>(given)), sizer(size) {}

    bool at_end() { return !made && source.at_end(); }
    Chunk& current() {
      if (!made) {
        const std::size_t size = sizer.chunk();
        chunk.reserve(size);
        while (chunk.size() < size && !source.at_end()) chunk.push_back(source.take());
        made = true;
      }
      return chunk;
    }
    Chunk take() {
      Chunk out = std::move(current());
      chunk.clear();
      made = false;
      return out;
    }

    InputSource<Range> source;
    const ReduceSizer& sizer;
    Chunk chunk;
    bool made = false;
  };

  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::detail
