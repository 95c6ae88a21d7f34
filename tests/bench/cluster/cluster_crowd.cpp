// What many workers that do nothing cost their coordinator:
//
//   muster-cluster-crowd COORDINATOR_PROGRAM [WORKERS=1000] [SECONDS=10]
//
// Starts the program on a free port, has so many simulated workers register, measures it for so
// long, kills it with SIGKILL, starts it again, and waits until all are back. Prints "name value"
// lines.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include <muster/base/clock.hpp>
#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>

#include "support/proc.hpp"
#include "support/process.hpp"
#include "support/simulated_workers.hpp"

namespace {

using namespace std::chrono_literals;
using muster::Clock;
using muster::test::SimulatedWorkers;
using muster::testing::Running;

constexpr auto patience = 120s;

double seconds_since(muster::TimePoint start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Starts it there, and finds out where that is.
std::unique_ptr<Running> start(const std::string& program, const std::string& state,
                               std::string& address) {
  auto out = std::make_unique<Running>(muster::testing::Command{
      .arguments = {program, "--bind", address, "--state", state}, .timeout = 24h});
  const bool listens = muster::testing::eventually([&] {
    const std::string log = out->err();
    const auto at = log.find("tcp://");
    if (at == std::string::npos || log.find(',', at) == std::string::npos) return false;
    address = log.substr(at, log.find(',', at) - at);
    return true;
  });
  if (!listens)
    throw muster::Error(muster::ErrorCode::io, "'" + program + "' does not start: " + out->err());
  return out;
}

void await_all(const SimulatedWorkers& workers, unsigned count) {
  if (muster::testing::eventually([&] { return workers.connected() == count; }, patience)) return;
  throw muster::Error(muster::ErrorCode::io,
                      "only " + std::to_string(workers.connected()) + " workers have a session");
}

void measure(const std::string& program, unsigned count, std::chrono::seconds time) {
  const muster::TempDir state(muster::default_temp_parent());
  std::string address = "tcp://127.0.0.1:*";
  auto coordinator = start(program, state.path(), address);
  auto begin = Clock::now();
  SimulatedWorkers workers(address, count);
  await_all(workers, count);
  std::printf("workers %u\nall_registered_s %.2f\n", count, seconds_since(begin));
  std::printf("register_cpu_s %.2f\n", muster::test::cpu_time(coordinator->pid()).count());

  const auto cpu_before = muster::test::cpu_time(coordinator->pid());
  begin = Clock::now();
  std::this_thread::sleep_for(time);  // slow on purpose: the time that is measured over
  const auto cpu = muster::test::cpu_time(coordinator->pid()) - cpu_before;
  std::printf("idle_percent_of_a_core %.2f\n", 100 * cpu.count() / seconds_since(begin));
  std::printf("resident_mib %.1f\n",
              double(muster::test::resident_bytes(coordinator->pid())) / (1 << 20));

  const auto lost_before = workers.lost();
  coordinator->send(SIGKILL);
  coordinator->wait();
  coordinator = start(program, state.path(), address);
  begin = Clock::now();
  if (!muster::testing::eventually([&] { return workers.sessions() >= 2 * count; }, patience))
    throw muster::Error(muster::ErrorCode::io, "not all workers have come back");
  await_all(workers, count);
  std::printf("all_back_s %.2f\n", seconds_since(begin));
  std::printf("back_cpu_s %.2f\n", muster::test::cpu_time(coordinator->pid()).count());
  std::printf("connections_lost %llu\nsessions %llu\n",
              static_cast<unsigned long long>(workers.lost() - lost_before),
              static_cast<unsigned long long>(workers.sessions()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: %s COORDINATOR_PROGRAM [WORKERS=1000] [SECONDS=10]\n", argv[0]);
    return 2;
  }
  const auto number = [&](int at, long otherwise) {
    return argc > at ? std::strtol(argv[at], nullptr, 10) : otherwise;
  };
  try {
    muster::raise_open_files_limit();
    measure(argv[1], static_cast<unsigned>(number(2, 1000)), std::chrono::seconds(number(3, 10)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
