// A plugin that says something else each time it runs.
#include <chrono>
#include <cstdint>

#include <muster/plugin.hpp>

namespace {

struct Unsteady {
  using Key = std::string;
  using Value = std::uint64_t;

  static void map(std::string_view line, muster::Emitter<Unsteady>& out) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    if (!line.empty()) out.emit(std::string("latest"), static_cast<Value>(now));
  }
  static Value combine(Value a, Value b) { return a > b ? a : b; }
};

}  // namespace

MUSTER_PLUGIN(unsteady, "0.1.0", tasks) {
  tasks.add_map_reduce<Unsteady>("unsteady").summary("the time");
}
