#pragma once

#include <chrono>
#include <exception>
#include <string_view>

#include <gtest/gtest.h>
#include <sys/types.h>

#include <muster/executors/errors.hpp>
#include <muster/executors/process_pool.hpp>

#include "shared_memory.hpp"

namespace muster::test {

/// A pool whose processes' last words are not shown.
inline ProcessPoolOptions quiet(unsigned workers, unsigned prefetch = 1) {
  ProcessPoolOptions options;
  options.max_workers = workers;
  options.prefetch = prefetch;
  options.on_output = [](std::string_view) {};
  return options;
}

/// The one process of a pool of one, once its start is known here: its first task may run earlier.
inline pid_t sole_worker(const ProcessPoolExecutor& pool) {
  EXPECT_TRUE(eventually([&] { return pool.worker_pids().size() == 1; }));
  return pool.worker_pids().at(0);
}

/// How the process of a task died; a failure of the test if it did not.
template <class T>
WorkerDeath death_of(const Future<T>& future) {
  try {
    future.result(std::chrono::seconds(60));
  } catch (const WorkerDiedError& error) {
    return error.death();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another error: " << error.what();
    return {};
  }
  ADD_FAILURE() << "it did not die";
  return {};
}

/// The code of the error that it ends with.
template <class T>
ErrorCode code_of(const Future<T>& future) {
  try {
    future.result(std::chrono::seconds(60));
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::usage;
}

}  // namespace muster::test
