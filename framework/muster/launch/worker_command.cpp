#include <fmt/format.h>

#include <muster/launch/worker_command.hpp>

namespace muster::launch {

std::vector<std::string> WorkerCommand::arguments() const {
  std::vector<std::string> out = {program, "--coordinator", coordinator};
  if (!keys.empty()) out.insert(out.end(), {"--keys", keys});
  if (slots) out.insert(out.end(), {"--slots", std::to_string(*slots)});
  if (lifetime) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*lifetime).count();
    out.insert(out.end(), {"--lifetime", fmt::format("{}ms", ms)});
  }
  for (const std::string& each : environment) out.insert(out.end(), {"--env", each});
  out.insert(out.end(), sandbox.begin(), sandbox.end());
  return out;
}

}  // namespace muster::launch
