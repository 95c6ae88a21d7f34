#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include <muster/base/clock.hpp>

namespace muster::test {

/// Memory that this process and all task processes share, so that tasks can be counted and held up.
/// Mapped before muster::init().
struct Shared {
  std::atomic<std::uint64_t> runs;  // entries of counting tasks
  std::atomic<std::uint64_t> runs_by_number[4096];
  std::atomic<std::uint64_t> gate;           // tasks at the gate go on while it is not 0
  std::atomic<std::uint64_t> doomed_births;  // so many forks die before they do anything
  std::atomic<std::uint64_t> at_gate;        // how many have arrived there
  std::atomic<std::uint64_t> passed_gate;    // and gone on
};

Shared& shared();
void map_shared();  ///< to be called once, at the top of main
/// For the environment of this program where others start it: there it maps the same memory.
std::string shared_memory_variable();
void reset_shared();  ///< everything 0: the gate is closed
void stay_at_gate();  ///< in a task: arrives, waits until the gate is open, and goes on

/// Waits until the condition holds; false if that takes longer than any machine should.
template <class Condition>
bool eventually(Condition condition, Duration limit = std::chrono::seconds(60)) {
  const TimePoint deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(100));  // bounded poll
  }
  return true;
}

}  // namespace muster::test
