#include "support.hpp"

#include <string>

#include <unistd.h>

namespace muster::test {

Bytes echo(TaskContext&, std::string_view argument) { return Bytes(argument); }

Bytes own_pid(TaskContext&, std::string_view) { return std::to_string(::getpid()); }

Bytes count(TaskContext&, std::string_view argument) {
  ++shared().runs;
  ++shared().runs_by_number[std::stoul(std::string(argument))];
  return Bytes(argument);
}

Bytes wait_at_gate(TaskContext& context, std::string_view argument) {
  count(context, argument);
  context.add_progress(1);
  stay_at_gate();
  return Bytes(argument);
}

Bytes spin(TaskContext& context, std::string_view) {
  context.position().store(7);
  context.add_progress(3);
  for (volatile bool forever = true; forever;) {
  }
  return {};
}

bool has_started(const ProcessPoolExecutor& pool, const Future<Bytes>& task) {
  return eventually([&] {
    const auto progress = pool.progress(task);
    return progress && progress->progress != 0;
  });
}

}  // namespace muster::test
