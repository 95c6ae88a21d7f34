// A plugin whose combine depends on order and grouping: `muster plugin check` has to find out.
#include <cstdint>

#include <muster/plugin.hpp>

namespace {

struct NotAssociative {
  using Key = std::string;
  using Value = std::uint64_t;

  static void map(std::string_view line, muster::Emitter<NotAssociative>& out) {
    out.emit(line.substr(0, 1), line.size());
  }
  static Value combine(Value a, Value b) { return a * 31 + b; }
};

}  // namespace

MUSTER_PLUGIN(not_associative, "0.1.0", tasks) {
  tasks.add_map_reduce<NotAssociative>("not_associative").summary("hashes, in whatever order");
}
