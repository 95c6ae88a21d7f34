// A plugin that never returns from being loaded. The file that $STUCK_MARK names says that it has
// come so far.
#include <cstdlib>
#include <fstream>

#include <unistd.h>

#include <muster/plugin.hpp>

namespace {

struct StuckWhenLoaded {
  StuckWhenLoaded() {
    if (const char* mark = std::getenv("STUCK_MARK"); mark != nullptr) std::ofstream(mark).put('x');
    for (;;) ::pause();
  }
};
const StuckWhenLoaded stuck;

struct Echo {
  static void map(std::string_view line, muster::Output& out) { out.line(line); }
};

}  // namespace

MUSTER_PLUGIN(stuck, "0.1.0", tasks) { tasks.add_map<Echo>("stuck"); }
