#pragma once

// How the benchmark calls into task processes: by typed submit() where the pool has it, and by
// submit_raw() with as little encoding as possible where not.

#include <cstring>
#include <string>
#include <vector>

#include <muster/executors/process_pool.hpp>

namespace executor_bench {

inline int square(int x) { return x * x; }
inline std::string echo_string(std::string payload) { return payload; }
inline std::vector<char> echo_vector(std::vector<char> payload) { return payload; }

template <class Pool>
concept TypedPool = requires(Pool& pool) {
  pool.submit(square, 7);
};

using IntFunction = int (*)(int);

template <IntFunction function>
muster::Bytes call_raw(muster::TaskContext&, std::string_view argument) {
  int value = 0;
  std::memcpy(&value, argument.data(), sizeof value);
  value = function(value);
  muster::Bytes out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

inline muster::Bytes echo_raw(muster::TaskContext&, std::string_view argument) {
  return muster::Bytes(argument);
}

/// A future for function(x), which is an int or, raw, its bytes.
template <IntFunction function, class Pool>
auto submit_int(Pool& pool, int x) {
  if constexpr (TypedPool<Pool>) {
    return pool.submit(function, x);
  } else {
    muster::Bytes argument(sizeof x, '\0');
    std::memcpy(argument.data(), &x, sizeof x);
    return pool.submit_raw(call_raw<function>, std::move(argument)).future;
  }
}

template <class Pool>
auto submit_square(Pool& pool, int x) {
  return submit_int<square>(pool, x);
}

template <class Pool>
auto submit_echo(Pool& pool, const std::string& payload) {
  if constexpr (TypedPool<Pool>) {
    return pool.submit(echo_string, payload);
  } else {
    return pool.submit_raw(echo_raw, payload).future;
  }
}

template <class Pool>
auto submit_echo(Pool& pool, const std::vector<char>& payload) {
  if constexpr (TypedPool<Pool>) {
    return pool.submit(echo_vector, payload);
  } else {
    return pool.submit_raw(echo_raw, muster::Bytes(payload.begin(), payload.end())).future;
  }
}

}  // namespace executor_bench
