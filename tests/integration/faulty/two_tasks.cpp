// A plugin with two tasks, neither of which has the plugin's name.
#include <cstdint>

#include <muster/plugin.hpp>

namespace {

struct Lines {
  using Key = std::string;
  using Value = std::uint64_t;

  static void map(std::string_view /*line*/, muster::Emitter<Lines>& out) {
    out.emit(std::string("lines"), 1);
  }
  static Value combine(Value a, Value b) { return a + b; }
};

struct Echo {
  static void map(std::string_view line, muster::Output& out) { out.line(line); }
};

}  // namespace

MUSTER_PLUGIN(two_tasks, "0.1.0", tasks) {
  tasks.add_map_reduce<Lines>("count_lines").summary("how many lines");
  tasks.add_map<Echo>("echo_lines").summary("the lines themselves");
}
