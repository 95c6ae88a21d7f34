// What the documentation shows is quoted from programs that are compiled and run.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace muster {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

struct Snippet {
  std::size_t line;  ///< of its first line, from 1
  Lines text;
};

Lines to_lines(const std::string& text) {
  Lines out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

Lines read_lines(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream text;
  text << in.rdbuf();
  return to_lines(text.str());
}

/// Blocks that begin with a line "```cpp".
std::vector<Snippet> cpp_snippets(const Lines& page) {
  std::vector<Snippet> out;
  bool in_snippet = false;
  for (std::size_t i = 0; i < page.size(); ++i) {
    if (in_snippet && page[i] == "```") {
      in_snippet = false;
    } else if (in_snippet) {
      out.back().text.push_back(page[i]);
    } else if (page[i] == "```cpp") {
      in_snippet = true;
      out.push_back({i + 2, {}});
    }
  }
  if (in_snippet) throw std::runtime_error("a snippet has no end");
  return out;
}

std::size_t indentation(const std::string& line) { return line.find_first_not_of(' '); }

/// Is the snippet `size` lines of `file` from `from` on, all indented by the same more?
bool is_at(const Lines& snippet, const Lines& file, std::size_t from) {
  if (snippet.empty() || snippet[0].empty() || file[from].empty()) return false;
  const std::size_t inside = indentation(file[from]);
  const std::size_t outside = indentation(snippet[0]);
  if (inside < outside) return false;
  const std::string more(inside - outside, ' ');
  return std::equal(snippet.begin(), snippet.end(),
                    file.begin() + static_cast<std::ptrdiff_t>(from),
                    [&](const std::string& quoted, const std::string& line) {
                      return quoted.empty() ? line.empty() : more + quoted == line;
                    });
}

bool is_in(const Lines& snippet, const Lines& file) {
  for (std::size_t from = 0; from + snippet.size() <= file.size(); ++from) {
    if (is_at(snippet, file, from)) return true;
  }
  return false;
}

std::vector<Lines> examples() {
  std::vector<Lines> out;
  for (const auto& each : fs::directory_iterator(fs::path(MUSTER_SOURCE_DIR) / "jobs/examples")) {
    if (each.path().extension() == ".cpp") out.push_back(read_lines(each.path()));
  }
  return out;
}

/// How many snippets the page has; each that is quoted from no example fails the test.
std::size_t check_page(const std::string& page) {
  const auto files = examples();
  const auto snippets = cpp_snippets(read_lines(fs::path(MUSTER_SOURCE_DIR) / page));
  for (const Snippet& each : snippets) {
    EXPECT_TRUE(std::any_of(files.begin(), files.end(),
                            [&](const Lines& file) { return is_in(each.text, file); }))
        << page << ":" << each.line << ": is not what a file of jobs/examples says";
  }
  return snippets.size();
}

TEST(Snippets, ReadmeQuotesPrograms) { EXPECT_GE(check_page("README.md"), 2U); }

TEST(Snippets, PythonPageQuotesPrograms) { EXPECT_GE(check_page("docs/python.md"), 10U); }

TEST(Snippets, SendingPageQuotesPrograms) { EXPECT_GE(check_page("docs/sending.md"), 2U); }

// Every program is run: a name that CMake does not know would be quoted, but never compiled.
TEST(Snippets, EveryExampleHasItsOutput) {
  std::size_t programs = 0;
  for (const auto& each : fs::directory_iterator(fs::path(MUSTER_SOURCE_DIR) / "jobs/examples")) {
    if (each.path().extension() != ".cpp" || each.path().stem() == "word_count") continue;
    const auto expected = each.path().stem().string() + ".txt";
    EXPECT_TRUE(fs::exists(fs::path(MUSTER_SOURCE_DIR) / "tests/examples/expected" / expected))
        << expected;
    ++programs;
  }
  EXPECT_GE(programs, 12U);
}

// From here on: the checker itself.

TEST(SnippetChecker, FindsSnippetsWithTheirLines) {
  const auto found = cpp_snippets(to_lines("a\n```cpp\nx;\n\ny;\n```\n```python\nz\n```\n"));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].line, 3U);
  EXPECT_EQ(found[0].text, (Lines{"x;", "", "y;"}));
}

TEST(SnippetChecker, IgnoresIndentationAloneAndOfAllLines) {
  const Lines file = {"int main() {", "  a();", "", "  if (b) {", "    c();", "  }", "}"};
  EXPECT_TRUE(is_in({"a();", "", "if (b) {", "  c();", "}"}, file));
  EXPECT_TRUE(is_in(file, file));
  EXPECT_FALSE(is_in({"a();", "if (b) {"}, file));
  EXPECT_FALSE(is_in({"if (b) {", "c();"}, file));
  EXPECT_FALSE(is_in({"a();", "", "if (d) {"}, file));
  EXPECT_FALSE(is_in({"    a();"}, file));
  EXPECT_FALSE(is_in({"}", "}", "}"}, file));
  EXPECT_FALSE(is_in({}, file));
}

}  // namespace
}  // namespace muster
