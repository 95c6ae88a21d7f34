#include <muster/plugin.hpp>

struct WordCount {
  using Key = std::string;
  using Value = std::uint64_t;
  static void map(std::string_view line, muster::Emitter<WordCount>& out) {
    for (auto word : muster::words(line)) out.emit(word, 1);
  }
  static Value combine(Value a, Value b) { return a + b; }  // associative and commutative
};
MUSTER_PLUGIN(wordcount, "1.0.0", tasks) { tasks.add_map_reduce<WordCount>("wordcount"); }
