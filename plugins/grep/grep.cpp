#include <memory>
#include <string>

#include <re2/re2.h>

#include <muster/plugin.hpp>

namespace {

/// Finds lines that match a regular expression and writes them as file:line<TAB>text.
class Grep {
 public:
  static constexpr bool line_numbers = true;

  explicit Grep(const muster::Parameters& parameters) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_case_sensitive(parameters.get("case") == "keep");
    const std::string& pattern = parameters.get("pattern");
    if (pattern.empty()) {
      throw muster::Error(muster::ErrorCode::usage, "task 'grep' needs a pattern",
                          "--set pattern=REGEX");
    }
    pattern_ = std::make_unique<RE2>(pattern, options);
    if (!pattern_->ok()) throw muster::bad_setting("pattern", pattern, pattern_->error());
  }

  void map(const muster::Record& line, muster::Output& out) const {
    const re2::StringPiece text(line.text.data(), line.text.size());
    if (RE2::PartialMatch(text, *pattern_)) out.line(line.file, ':', line.line, '\t', line.text);
  }

 private:
  std::unique_ptr<RE2> pattern_;
};

}  // namespace

MUSTER_PLUGIN(grep, "1.0.0", tasks) {
  tasks.add_map<Grep>("grep")
      .summary("lines that match a regular expression, with file and line number")
      .parameter({.name = "pattern", .help = "the expression, in RE2's syntax"})
      .parameter({.name = "case",
                  .default_value = "keep",
                  .choices = "keep|ignore",
                  .help = "ignore: capitals and small letters are alike"});
}
