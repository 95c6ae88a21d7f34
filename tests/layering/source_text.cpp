#include "source_text.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace muster::layering {
namespace {

namespace fs = std::filesystem;

// Goes through a text and says what each stretch of it is.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  enum class Kind { code, comment, literal };

  struct Stretch {
    Kind kind;
    std::size_t from;
    std::size_t to;
  };

  bool done() const { return at_ == text_.size(); }

  Stretch next() {
    const std::size_t from = at_;
    if (starts("//")) {
      at_ = end_of_line_comment();
      return {Kind::comment, from, at_};
    }
    if (starts("/*")) return {Kind::comment, from, at_ = after("*/", from + 2)};
    if (text_[at_] == '"') return {Kind::literal, from, at_ = raw() ? raw_end() : quoted_end('"')};
    // An apostrophe after a digit or letter separates digits: 1'000, 0xff'ff.
    if (text_[at_] == '\'' && (at_ == 0 || !is_word_char(text_[at_ - 1]))) {
      return {Kind::literal, from, at_ = quoted_end('\'')};
    }
    return {Kind::code, from, ++at_};
  }

 private:
  bool starts(std::string_view prefix) const { return text_.substr(at_).starts_with(prefix); }

  std::size_t after(std::string_view mark, std::size_t from) const {
    const auto found = text_.find(mark, from);
    return found == std::string_view::npos ? text_.size() : found + mark.size();
  }

  std::size_t end_of_line_comment() const { return std::min(text_.find('\n', at_), text_.size()); }

  bool raw() const { return at_ > 0 && text_[at_ - 1] == 'R'; }

  std::size_t raw_end() const {
    const auto open = text_.find('(', at_);
    if (open == std::string_view::npos) return text_.size();
    return after(")" + std::string(text_.substr(at_ + 1, open - at_ - 1)) + "\"", open);
  }

  std::size_t quoted_end(char quote) const {
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        return i + 1;
      } else if (text_[i] == '\n') {
        return i;  // no string after all
      }
    }
    return text_.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string blank(std::string_view text) {
  std::string out(text.size(), ' ');
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') out[i] = '\n';
  }
  return out;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::size_t find_word(std::string_view text, std::string_view word, std::size_t from) {
  for (auto at = text.find(word, from); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word_char(text[at - 1])) &&
        (end == text.size() || !is_word_char(text[end]))) {
      return at;
    }
  }
  return std::string_view::npos;
}

std::string to_text(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& each : findings) {
    out += each.file + ":" + std::to_string(each.line) + ": " + each.text + "\n";
  }
  return out;
}

SourceText::SourceText(std::string name, std::string text)
    : name_(std::move(name)), text_(std::move(text)) {
  for (std::size_t at = 0; at < text_.size();) {
    line_starts_.push_back(at);
    const auto newline = text_.find('\n', at);
    at = newline == std::string::npos ? text_.size() : newline + 1;
  }
  take_apart();
}

void SourceText::take_apart() {
  code_ = text_;
  comments_ = blank(text_);
  for (Lexer lexer(text_); !lexer.done();) {
    const auto [kind, from, to] = lexer.next();
    if (kind == Lexer::Kind::code) continue;
    const std::size_t size = to - from;
    if (kind == Lexer::Kind::comment) {
      code_.replace(from, size, blank(std::string_view(text_).substr(from, size)));
      comments_.replace(from, size, text_, from, size);
    } else if (size > 2) {
      code_.replace(from + 1, size - 2, blank(std::string_view(text_).substr(from + 1, size - 2)));
    }
  }
}

bool SourceText::is_header() const { return name_.ends_with(".hpp") || name_.ends_with(".h"); }

bool SourceText::is_test() const {
  return name_.starts_with("tests/") || name_.ends_with("_test.cpp");
}

std::size_t SourceText::line_of(std::size_t position) const {
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), position);
  return static_cast<std::size_t>(after - line_starts_.begin());
}

std::string_view SourceText::line(std::size_t number) const { return line_in(text_, number); }

std::string_view SourceText::comment_line(std::size_t number) const {
  return line_in(comments_, number);
}

std::string_view SourceText::line_in(const std::string& view, std::size_t number) const {
  const std::size_t from = line_starts_.at(number - 1);
  std::size_t to = number < line_starts_.size() ? line_starts_[number] : view.size();
  if (to > from && view[to - 1] == '\n') --to;
  return std::string_view(view).substr(from, to - from);
}

std::vector<SourceText> read_sources(const fs::path& root, const std::vector<std::string>& folders,
                                     const std::vector<std::string>& extensions) {
  std::vector<fs::path> files;
  for (const std::string& folder : folders) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string name = entry.path().filename().string();
      const bool wanted = std::any_of(extensions.begin(), extensions.end(),
                                      [&](const auto& end) { return name.ends_with(end); });
      if (wanted && entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<SourceText> out;
  out.reserve(files.size());
  for (const fs::path& file : files) {
    out.emplace_back(fs::relative(file, root).generic_string(), read_file(file));
  }
  return out;
}

}  // namespace muster::layering
