#include <algorithm>
#include <array>

#include "tidy_rules.hpp"

namespace muster::layering {
namespace {

constexpr std::size_t head_shown_max = 60;

// Preprocessor lines, with their continuations, made blank: their braces need not balance.
std::string without_directives(const SourceText& source) {
  std::string out = source.code();
  bool continued = false;
  for (std::size_t from = 0; from < out.size();) {
    const std::size_t to = std::min(out.find('\n', from), out.size());
    const std::size_t first = std::min(out.find_first_not_of(" \t", from), to);
    if (continued || (first < to && out[first] == '#')) {
      continued = to > from && out[to - 1] == '\\';
      std::fill(out.begin() + static_cast<std::ptrdiff_t>(from),
                out.begin() + static_cast<std::ptrdiff_t>(to), ' ');
    }
    from = to + 1;
  }
  return out;
}

std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t';
    if (!space) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  return out;
}

// "template <class T> requires ... x" -> what follows the parameters
std::string_view after_template(std::string_view head) {
  while (head.starts_with("template")) {
    int depth = 0;
    std::size_t at = head.find('<');
    for (; at < head.size(); ++at) {
      if (head[at] == '<') ++depth;
      if (head[at] == '>' && --depth == 0) break;
    }
    head.remove_prefix(std::min(at + 1, head.size()));
    head.remove_prefix(std::min(head.find_first_not_of(' '), head.size()));
  }
  return head;
}

bool opens_function(std::string_view text) {
  const std::string line = on_one_line(text);
  const std::string_view head = after_template(line);
  if (head.find(')') == std::string_view::npos) return false;
  constexpr std::array<std::string_view, 6> scopes = {"namespace", "class", "struct",
                                                      "union",     "enum",  "inline namespace"};
  return std::none_of(scopes.begin(), scopes.end(), [&](std::string_view word) {
    return head.starts_with(word) && find_word(head, word) == 0;
  });
}

// Reads braces at the level of namespaces and classes; skips what is inside functions.
class Scanner {
 public:
  explicit Scanner(const SourceText& source) : source_(source), code_(without_directives(source)) {}

  std::vector<Function> run() {
    for (; at_ < code_.size(); ++at_) {
      const char c = code_[at_];
      if (head_ == std::string::npos && c != ' ' && c != '\n') head_ = at_;
      if (c == ';' || c == '}' || ends_access_specifier()) {
        head_ = std::string::npos;
      } else if (c == '{') {
        open_brace();
      }
    }
    return std::move(found_);
  }

 private:
  bool ends_access_specifier() const {
    if (code_[at_] != ':' || head_ == std::string::npos) return false;
    const std::string_view word = std::string_view(code_).substr(head_, at_ - head_);
    return word == "public" || word == "private" || word == "protected";
  }

  void open_brace() {
    const std::string_view head = std::string_view(code_).substr(head_, at_ - head_);
    if (!opens_function(head)) {
      // A list of values is skipped, a scope is entered.
      if (find_word(head, "namespace") == std::string_view::npos &&
          (head.ends_with("= ") || head.ends_with("="))) {
        at_ = closing_brace();
      }
      head_ = std::string::npos;
      return;
    }
    at_ = closing_brace();
    const std::size_t next = code_.find_first_not_of(" \n", at_ + 1);
    // In "Foo() : a_{1}, b_{2} {" only the last pair is the body.
    if (next != std::string::npos && (code_[next] == ',' || code_[next] == '{')) return;
    const std::size_t first = source_.line_of(head_);
    found_.push_back(
        {on_one_line(head).substr(0, head_shown_max), first, source_.line_of(at_) - first + 1});
    head_ = std::string::npos;
  }

  std::size_t closing_brace() const {
    int depth = 0;
    for (std::size_t i = at_; i < code_.size(); ++i) {
      if (code_[i] == '{') ++depth;
      if (code_[i] == '}' && --depth == 0) return i;
    }
    return code_.size() - 1;
  }

  const SourceText& source_;
  const std::string code_;
  std::size_t at_ = 0;
  std::size_t head_ = std::string::npos;
  std::vector<Function> found_;
};

}  // namespace

std::vector<Function> functions_of(const SourceText& source) { return Scanner(source).run(); }

}  // namespace muster::layering
