// A plugin that crashes before anybody has asked it anything.
#include <cstdlib>

#include <muster/plugin.hpp>

namespace {

struct CrashesWhenLoaded {
  CrashesWhenLoaded() { std::abort(); }
};
const CrashesWhenLoaded crash;

struct Echo {
  static void map(std::string_view line, muster::Output& out) { out.line(line); }
};

}  // namespace

MUSTER_PLUGIN(static_crash, "0.1.0", tasks) { tasks.add_map<Echo>("static_crash"); }
