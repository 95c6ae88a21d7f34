#include "tidy_rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace muster::layering {
namespace {

constexpr std::string_view blanks = " \t\n";

class Report {
 public:
  explicit Report(const SourceText& source) : source_(source) {}

  void add(std::size_t line, std::string text) {
    findings_.push_back({source_.name(), line, std::move(text)});
  }
  void add_at(std::size_t position, std::string text) {
    add(source_.line_of(position), std::move(text));
  }

  std::vector<Finding> take() {
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const Finding& a, const Finding& b) { return a.line < b.line; });
    return std::move(findings_);
  }

 private:
  const SourceText& source_;
  std::vector<Finding> findings_;
};

std::size_t skip_blanks(std::string_view text, std::size_t from) {
  return std::min(text.find_first_not_of(blanks, from), text.size());
}

std::size_t columns(std::string_view line) {
  // Bytes that continue a UTF-8 character take no column.
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

void check_lengths(const SourceText& source, Report& report) {
  if (source.line_count() > file_lines_max) {
    report.add(0, std::to_string(source.line_count()) + " lines; at most " +
                      std::to_string(file_lines_max));
  }
  for (const Function& each : functions_of(source)) {
    if (each.lines <= function_lines_max) continue;
    report.add(each.line, std::to_string(each.lines) + " lines in function '" + each.head +
                              "'; at most " + std::to_string(function_lines_max));
  }
}

void check_name(const SourceText& source, Report& report) {
  const std::string stem = source.name().substr(0, source.name().rfind('.'));
  const bool good = std::all_of(stem.begin(), stem.end(), [](unsigned char c) {
    return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_' || c == '/';
  });
  if (!good) report.add(0, "the name is not in snake_case");
}

void check_guard(const SourceText& source, Report& report) {
  if (!source.is_header()) return;
  const std::string& code = source.code();
  const auto first = std::string_view(code).substr(skip_blanks(code, 0));
  // A header for C, too, has the guard that any compiler knows.
  if (first.starts_with("#pragma once") ||
      (source.name().ends_with(".h") && first.starts_with("#ifndef "))) {
    return;
  }
  report.add(1, "'#pragma once' does not come first");
}

// What a test may sleep for: between looks at something that it waits for, within a bound; or
// because what it has run is to take time, which no check depends on.
constexpr std::array<std::string_view, 2> sleep_marks = {"// bounded poll", "// slow on purpose"};

bool is_justified(const SourceText& source, std::size_t position) {
  const std::size_t line = source.line_of(position);
  const auto has = [&](std::size_t number) {
    if (number == 0) return false;
    const std::string_view comment = source.comment_line(number);
    return std::any_of(sleep_marks.begin(), sleep_marks.end(), [&](std::string_view mark) {
      return comment.find(mark) != std::string_view::npos;
    });
  };
  return has(line) || has(line - 1);
}

// Finds `name(` as a call: not a member's, and not in a namespace other than std or the global one.
template <class Visit>
void for_each_call(std::string_view code, std::string_view name, const Visit& visit) {
  for (auto at = find_word(code, name); at != std::string_view::npos;
       at = find_word(code, name, at + 1)) {
    const std::size_t open = skip_blanks(code, at + name.size());
    const std::string_view before = code.substr(0, at);
    const bool member = before.ends_with('.') || before.ends_with("->");
    if (open < code.size() && code[open] == '(' && !member) visit(at);
  }
}

void check_calls(const SourceText& source, Report& report) {
  constexpr std::array<std::string_view, 11> banned = {"system", "popen",  "sprintf", "vsprintf",
                                                       "strcpy", "strcat", "gets",    "atoi",
                                                       "rand",   "srand",  "tmpnam"};
  for (const std::string_view name : banned) {
    for_each_call(source.code(), name,
                  [&](std::size_t at) { report.add_at(at, std::string(name) + "() is banned"); });
  }
  if (!source.is_test()) return;
  constexpr std::array<std::string_view, 5> sleeps = {"sleep", "usleep", "nanosleep", "sleep_for",
                                                      "sleep_until"};
  for (const std::string_view name : sleeps) {
    for_each_call(source.code(), name, [&](std::size_t at) {
      if (is_justified(source, at)) return;
      report.add_at(at, std::string(name) + "() in a test without '// bounded poll' or its like");
    });
  }
}

void check_using(const SourceText& source, Report& report) {
  const std::string& code = source.code();
  for (auto at = find_word(code, "using"); at != std::string::npos;
       at = find_word(code, "using", at + 1)) {
    const auto space = skip_blanks(code, at + std::string_view("using").size());
    if (find_word(std::string_view(code).substr(space), "namespace") != 0) continue;
    const auto name = skip_blanks(code, space + std::string_view("namespace").size());
    const auto end = std::min(code.find(';', name), code.size());
    if (code.substr(name, end - name) == "std") report.add_at(at, "'using namespace std'");
  }
}

// A body with a comment that says why nothing is to be done is not empty.
void check_catches(const SourceText& source, Report& report) {
  const std::string& code = source.code();
  for (auto at = find_word(code, "catch"); at != std::string::npos;
       at = find_word(code, "catch", at + 1)) {
    const auto close = code.find(')', at);
    if (close == std::string::npos) return;
    const auto open = skip_blanks(code, close + 1);
    if (open == code.size() || code[open] != '{') continue;
    const auto end = skip_blanks(code, open + 1);
    if (end == code.size() || code[end] != '}') continue;
    const auto inside = std::string_view(source.comments()).substr(open, end - open);
    if (inside.find_first_not_of(blanks) == std::string_view::npos) {
      report.add_at(at, "an empty catch body");
    }
  }
}

void check_notes(const SourceText& source, Report& report) {
  constexpr std::array<std::string_view, 4> notes = {"TODO", "FIXME", "XXX", "HACK"};
  for (const std::string_view note : notes) {
    for (auto at = find_word(source.comments(), note); at != std::string_view::npos;
         at = find_word(source.comments(), note, at + 1)) {
      report.add_at(at, std::string(note) + ": an issue, or nothing");
    }
  }
}

bool looks_like_code(std::string_view comment) {
  const auto starts_with_any = [&](auto... words) { return (comment.starts_with(words) || ...); };
  if (comment == "}" || comment == "};" || comment.starts_with("#include")) return true;
  if (comment.ends_with(";")) {
    return comment.ends_with(");") || comment.find(" = ") != std::string_view::npos ||
           starts_with_any("return ", "break;", "continue;", "using ", "throw ", "delete ");
  }
  return comment.ends_with("{") &&
         starts_with_any("if (", "for (", "while (", "} else", "switch (");
}

// Comments of a whole line that begin with "//". Those with "///" may show how a thing is used.
void check_dead_code(const SourceText& source, Report& report) {
  for (std::size_t number = 1; number <= source.line_count(); ++number) {
    std::string_view line = source.comment_line(number);
    line.remove_prefix(skip_blanks(line, 0));
    if (!line.starts_with("//") || line.starts_with("///")) continue;
    line.remove_prefix(skip_blanks(line, 2));
    if (looks_like_code(line)) report.add(number, "code in a comment");
  }
}

}  // namespace

std::vector<Finding> check_text(const SourceText& source) {
  Report report(source);
  for (std::size_t number = 1; number <= source.line_count(); ++number) {
    const std::string_view line = source.line(number);
    if (line.find('\t') != std::string_view::npos) report.add(number, "a tab");
    if (line.ends_with(' ') || line.ends_with('\t') || line.ends_with('\r')) {
      report.add(number, "white space at the end");
    }
    if (const std::size_t width = columns(line); width > columns_max) {
      report.add(number,
                 std::to_string(width) + " columns; at most " + std::to_string(columns_max));
    }
  }
  const std::string& text = source.text();
  if (!text.empty() && !text.ends_with('\n')) {
    report.add(source.line_count(), "no newline at the end");
  }
  return report.take();
}

std::vector<Finding> check_cpp(const SourceText& source) {
  Report report(source);
  check_lengths(source, report);
  check_name(source, report);
  check_guard(source, report);
  check_calls(source, report);
  check_using(source, report);
  check_catches(source, report);
  check_notes(source, report);
  check_dead_code(source, report);
  return report.take();
}

}  // namespace muster::layering
