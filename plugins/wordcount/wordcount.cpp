#include <cstdint>
#include <string>
#include <string_view>

#include <muster/plugin.hpp>

namespace {

/// Counts words. It takes whole blocks rather than lines: where lines end does not matter to it.
class WordCount {
 public:
  using Key = std::string;
  using Value = std::uint64_t;
  static constexpr auto records = muster::Records::words;

  explicit WordCount(const muster::Parameters& parameters)
      : letters_(parameters.get("tokens") == "letters"), fold_(parameters.get("case") == "lower") {}

  void map_block(std::string_view block, muster::Emitter<WordCount>& out) const {
    if (letters_) {
      count<muster::char_class::Letter>(block, out);
    } else {
      count<muster::char_class::NotSpace>(block, out);
    }
  }

  static Value combine(Value a, Value b) { return a + b; }

 private:
  template <class Class>
  void count(std::string_view block, muster::Emitter<WordCount>& out) const {
    if (!fold_) {
      muster::for_each_run<Class>(block, [&](std::string_view word) { out.emit(word, 1); });
      return;
    }
    std::string lower;
    muster::for_each_run<Class>(block, [&](std::string_view word) {
      lower.assign(word);
      for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
      }
      out.emit(lower, 1);
    });
  }

  bool letters_;
  bool fold_;
};

}  // namespace

MUSTER_PLUGIN(wordcount, "1.0.0", tasks) {
  tasks.add_map_reduce<WordCount>("wordcount")
      .summary("how often each word occurs")
      .parameter({.name = "tokens",
                  .default_value = "space",
                  .choices = "space|letters",
                  .help = "words are runs without white space, or runs of ASCII letters"})
      .parameter({.name = "case",
                  .default_value = "keep",
                  .choices = "keep|lower",
                  .help = "lower folds ASCII capitals"});
}
