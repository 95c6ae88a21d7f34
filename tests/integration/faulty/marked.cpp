// A plugin of which there are two builds: they put different marks before what they count.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <signal.h>
#include <unistd.h>

#include <muster/plugin.hpp>

namespace {

class Marked {
 public:
  using Key = std::string;
  using Value = std::uint64_t;

  explicit Marked(const muster::Parameters& parameters)
      : until_(parameters.get("until")), at_(parameters.get("at")), dead_(parameters.get("dead")) {}

  void map(const muster::Record& line, muster::Emitter<Marked>& out) const {
    if (line.text == "DIE" && std::filesystem::create_directory(dead_)) ::raise(SIGKILL);
    if (!until_.empty() && line.text.starts_with(at_)) wait_at_gate();
    out.emit(MARK + (": " + std::string(line.text)), 1);
  }

  static Value combine(Value a, Value b) { return a + b; }

 private:
  void wait_at_gate() const {
    if (std::filesystem::exists(until_)) return;
    std::ofstream(until_ + ".reached", std::ios::app) << ::getpid() << "\n";
    while (!std::filesystem::exists(until_)) ::usleep(1000);  // bounded poll: by the test
  }

  std::string until_;
  std::string at_;
  std::string dead_;
};

}  // namespace

MUSTER_PLUGIN(marked, "0.1.0", tasks) {
  tasks.add_map_reduce<Marked>("marked")
      .summary("counts lines, in the name of its build")
      .parameter({.name = "until", .help = "lines wait until there is this file"})
      .parameter({.name = "at", .help = "only those that begin so"})
      .parameter({.name = "dead", .help = "made by the one that is killed at a line 'DIE'"});
}
