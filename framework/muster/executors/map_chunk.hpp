#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <muster/executors/call_task.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/map_sizes.hpp>

namespace muster::detail {

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

/// As MapOptions::buffer_bytes counts it.
template <class R>
std::size_t held_bytes(const MapChunk<R>& chunk) {
  std::size_t out = chunk.items.size() * sizeof(MapItem<R>);
  if constexpr (!is_flat<MapValue<R>>) {
    for (const MapItem<R>& each : chunk.items) {
      if (each.index() == 0) out += held_bytes(std::get<0>(each));
    }
  }
  return out;
}

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

template <class F, class Values, class R>
struct FunctionCodec<CallForEach<F, Values, R>> {
  static void encode(Bytes& out, const CallForEach<F, Values, R>& each) {
    FunctionCodec<F>::encode(out, each.function);
  }
  static CallForEach<F, Values, R> decode(ByteReader& in) { return {FunctionCodec<F>::decode(in)}; }
};

/// Results and errors travel side by side.
template <class R>
struct ResultCodec<MapChunk<R>> {
  static constexpr bool is_sendable = ResultCodec<R>::is_sendable;

  static void send(ResultSink& out, const MapChunk<R>& chunk) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.fixed(chunk.elapsed.count());
    writer.fixed<std::uint64_t>(chunk.items.size());
    std::size_t next = 0;
    std::size_t sound = bytes.size();  // without the one that cannot be encoded
    auto encode_rest = [&] {
      for (; next < chunk.items.size(); ++next) {
        sound = bytes.size();
        encode(bytes, chunk.items[next]);
      }
    };
    while (const std::optional<Bytes> error = encode_error_of(encode_rest)) {
      bytes.resize(sound);
      writer.fixed(false);
      writer.string(*error);
      ++next;
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
  static void encode(Bytes& bytes, const MapItem<R>& item) {
    ByteWriter writer(bytes);
    writer.fixed(item.index() == 0);
    if (item.index() == 0) {
      encode_message(bytes, std::get<0>(item));
    } else {
      writer.string(description_of(std::get<1>(item)));
    }
  }

  static Bytes description_of(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const EncodedError& encoded) {
      return encoded.description;
    }
  }
};

}  // namespace muster::detail
