#include <cstdint>
#include <string>
#include <string_view>

#include <muster/plugin.hpp>

namespace {

/// How many words start with each byte.
struct Initials {
  using Key = std::string;
  using Value = std::uint64_t;

  static void map(std::string_view line, muster::Emitter<Initials>& out) {
    for (const auto word : muster::words(line)) out.emit(word.substr(0, 1), 1);
  }
  static Value combine(Value a, Value b) { return a + b; }
};

}  // namespace

MUSTER_PLUGIN(initials, "0.1.0", tasks) {
  tasks.add_map_reduce<Initials>("initials").summary("words by their first byte");
}
