#include <chrono>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <sys/wait.h>

#include <muster/base/error.hpp>
#include <muster/launch/marked_process.hpp>
#include <muster/launch/own_coordinator.hpp>
#include <muster/launch/poll.hpp>
#include <muster/launch/run_program.hpp>

namespace muster::launch {
namespace {

using namespace std::chrono_literals;

constexpr Duration start_limit = 20s;

}  // namespace

OwnCoordinator::OwnCoordinator(ClusterSpec spec, ClusterDirectory directory)
    : spec_(std::move(spec)), directory_(std::move(directory)) {}

std::string OwnCoordinator::start() {
  const auto file = directory_.address_file();
  std::filesystem::remove(file);
  DetachedProgram program{{spec_.coordinator_program, "--bind", spec_.bind, "--state",
                           directory_.coordinator_state(), "--address-file", file},
                          part_mark(spec_.token, coordinator_role, "1"),
                          directory_.coordinator_log()};
  if (!spec_.worker.keys.empty())
    program.arguments.insert(program.arguments.end(), {"--keys", spec_.worker.keys});
  child_ = start_detached(program);
  bool has_ended = false;
  poll_until(
      [&] {
        has_ended = ::waitpid(child_, nullptr, WNOHANG) != 0;
        return has_ended || std::filesystem::exists(file);
      },
      start_limit, 5ms);
  if (has_ended || !std::filesystem::exists(file)) {
    throw Error(ErrorCode::broken,
                fmt::format("the coordinator {}: {}",
                            has_ended ? "has ended as soon as it was started" : "does not start",
                            tail_of(directory_.coordinator_log())),
                "its options are --bind and --keys of 'muster cluster up'");
  }
  constexpr std::size_t address_max = 4096;
  std::string address = read_file(file, address_max);
  while (!address.empty() && address.back() == '\n') address.pop_back();
  return address;
}

bool OwnCoordinator::restart_if_gone(TimePoint now) {
  if (child_ != 0 && ::waitpid(child_, nullptr, WNOHANG) != 0) child_ = 0;
  const unsigned missing = marked_processes(spec_.token, coordinator_role).empty() ? 1 : 0;
  if (!pacer_.may_start(now, missing)) return false;
  pacer_.started(now);
  start();
  return true;
}

}  // namespace muster::launch
