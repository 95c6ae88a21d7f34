#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>

#include <muster/base/clock.hpp>
#include <muster/codec/message.hpp>

namespace muster {

/// How Executor::map() goes through its inputs.
struct MapOptions {
  /// From the call of map() until the result asked for is there; over it, asking throws
  /// TimeoutError and what has not started is cancelled. None: for ever.
  std::optional<Duration> timeout = std::nullopt;
  /// Inputs that one task works on. None: measured as it goes, for about 1 ms of work a task.
  std::optional<int> chunk_size = std::nullopt;
  /// Inputs taken, at most, whose results have not been given: so an endless input stays lazy.
  /// None: 16,384, but 1,024 until the first result has shown its size.
  std::optional<int> buffer_size = std::nullopt;
  /// What those inputs and their results may take in memory, about, in bytes. What strings and
  /// vectors hold is counted, what pointers lead to is not; results still to come are taken to be
  /// as large as those before them. The inputs of one task are taken in any case. None: 256 MiB.
  std::optional<std::int64_t> buffer_bytes = std::nullopt;
};

namespace detail {

/// What a value takes in memory, as MapOptions::buffer_bytes counts it.
template <class T>
std::size_t held_bytes(const T& value) {
  if constexpr (Sendable<T>) {
    return message_size_hint(value);
  } else if constexpr (requires {
                         typename T::value_type;
                         value.size();
                       }) {
    return sizeof(T) + value.size() * sizeof(typename T::value_type);
  } else {
    return sizeof(T);
  }
}
template <class... T>
std::size_t held_bytes(const std::tuple<T...>& values) {
  return std::apply([](const auto&... each) { return (std::size_t{0} + ... + held_bytes(each)); },
                    values);
}

/// How many inputs the next task of a map gets.
class ChunkSizer {
 public:
  ChunkSizer(const MapOptions& options, unsigned workers);  ///< throws Error(usage)

  std::size_t chunk() const noexcept { return chunk_; }
  void measured(std::size_t inputs, Duration elapsed) noexcept;

 private:
  bool is_fixed_;
  std::size_t chunk_ = 1;
  std::size_t chunk_max_;
};

/// What a map has taken of its inputs, and how much more it may take.
class MapBuffer {
 public:
  explicit MapBuffer(const MapOptions& options);  ///< throws Error(usage)

  /// Inputs that may be taken now, if they are not too large.
  std::size_t room() const noexcept { return allowed_ - std::min(allowed_, taken_); }
  /// Whether there is memory for more than the `bytes` of the inputs of a task that is being made.
  bool has_memory(std::size_t bytes) const noexcept;

  void sent(std::size_t inputs, std::size_t bytes) noexcept;
  /// The results of a task; those of the one before are gone.
  void arrived(std::size_t inputs, std::size_t bytes, std::size_t result_bytes) noexcept;
  void gave_one() noexcept { --taken_; }
  void gave_all() noexcept { arrived_bytes_ = 0; }  ///< that have arrived

 private:
  std::size_t inputs_max_;
  std::size_t allowed_;  // of them: fewer until the size of a result is known
  std::size_t bytes_max_;
  std::size_t taken_ = 0;  // inputs whose results were not given
  std::size_t flying_ = 0;
  std::size_t flying_bytes_ = 0;
  std::size_t arrived_bytes_ = 0;
  std::size_t bytes_of_result_ = 0;  // the largest of late
};

}  // namespace detail
}  // namespace muster
