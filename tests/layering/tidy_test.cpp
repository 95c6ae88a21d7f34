#include <iostream>

#include <gtest/gtest.h>

#include "tidy_rules.hpp"

namespace muster::layering {
namespace {

const std::vector<std::string> folders = {"framework", "jobs", "plugins", "workers", "tests"};

TEST(Tidy, Cpp) {
  const auto sources = read_sources(MUSTER_SOURCE_DIR, folders);
  ASSERT_GT(sources.size(), 150U);
  std::vector<Finding> findings;
  std::size_t long_files = 0;
  for (const SourceText& source : sources) {
    if (source.line_count() > file_lines_long) ++long_files;
    const auto more = check_cpp(source);
    findings.insert(findings.end(), more.begin(), more.end());
  }
  std::cout << long_files << " of " << sources.size() << " files have more than " << file_lines_long
            << " lines\n";
  EXPECT_EQ(to_text(findings), "");
}

TEST(Tidy, Text) {
  const auto sources = read_sources(
      MUSTER_SOURCE_DIR,
      {"framework", "jobs", "plugins", "workers", "tests", "cmake", "packaging", "scripts"},
      {".cpp", ".hpp", ".h", ".txt", ".cmake", ".in", ".sh", ".py", ".toml", ".yaml", ".json"});
  std::vector<Finding> findings;
  for (const SourceText& source : sources) {
    const auto more = check_text(source);
    findings.insert(findings.end(), more.begin(), more.end());
  }
  EXPECT_EQ(to_text(findings), "");
}

// From here on: the rules themselves, on made-up sources.

std::string cpp(const std::string& text, const std::string& name = "framework/a.cpp") {
  return to_text(check_cpp({name, text}));
}

std::string text(const std::string& text) { return to_text(check_text({"a.cpp", text})); }

std::string lines(std::size_t count, const std::string& line = "int x;\n") {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += line;
  return out;
}

TEST(TidyRules, FileLength) {
  EXPECT_EQ(cpp(lines(500)), "");
  EXPECT_EQ(cpp(lines(501)), "framework/a.cpp:0: 501 lines; at most 500\n");
}

TEST(TidyRules, FunctionLength) {
  EXPECT_EQ(cpp("void f(int a,\n       int b) {\n" + lines(67) + "}\n"), "");
  EXPECT_EQ(cpp("namespace n {\nvoid f(int a,\n       int b) {\n" + lines(68) + "}\n}\n"),
            "framework/a.cpp:2: 71 lines in function 'void f(int a, int b) '; at most 70\n");
}

TEST(TidyRules, TextOfLines) {
  EXPECT_EQ(text("good\n"), "");
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("\tx\n"), "a.cpp:1: a tab\n");
  EXPECT_EQ(text("a\nx \n"), "a.cpp:2: white space at the end\n");
  EXPECT_EQ(text("x\r\n"), "a.cpp:1: white space at the end\n");
  EXPECT_EQ(text("x\ny"), "a.cpp:2: no newline at the end\n");
  EXPECT_EQ(text(std::string(100, 'x') + "\n"), "");
  EXPECT_EQ(text(std::string(101, 'x') + "\n"), "a.cpp:1: 101 columns; at most 100\n");
  EXPECT_EQ(text(std::string(99, 'x') + "\xc3\xa4\n"), "");  // two bytes, one column
}

TEST(TidyRules, Names) {
  EXPECT_EQ(cpp("", "framework/muster/base/temp_dir2.hpp"),
            "framework/muster/base/temp_dir2.hpp:1: '#pragma once' does not come first\n");
  EXPECT_EQ(cpp("", "framework/TempDir.cpp"),
            "framework/TempDir.cpp:0: the name is not in snake_case\n");
  EXPECT_EQ(cpp("", "framework/temp-dir.cpp"),
            "framework/temp-dir.cpp:0: the name is not in snake_case\n");
}

TEST(TidyRules, Guards) {
  EXPECT_EQ(cpp("// why\n\n#pragma once\n", "a.hpp"), "");
  EXPECT_EQ(cpp("#include <a>\n#pragma once\n", "a.hpp"),
            "a.hpp:1: '#pragma once' does not come first\n");
  EXPECT_EQ(cpp("#ifndef A\n#define A\n#endif\n", "a.h"), "");
  EXPECT_NE(cpp("#ifndef A\n#define A\n#endif\n", "a.hpp"), "");
}

TEST(TidyRules, BannedCalls) {
  for (const char* name : {"system", "popen", "sprintf", "vsprintf", "strcpy", "strcat", "gets",
                           "atoi", "rand", "srand", "tmpnam"}) {
    const std::string call = std::string(name) + "(x);\n";
    const std::string found = ": " + std::string(name) + "() is banned\n";
    EXPECT_EQ(cpp("int a;\n" + call), "framework/a.cpp:2" + found);
    EXPECT_EQ(cpp("std::" + call), "framework/a.cpp:1" + found);
    EXPECT_EQ(cpp("::" + std::string(name) + " (x);\n"), "framework/a.cpp:1" + found);
    EXPECT_EQ(cpp("// " + std::string(name) + "(x)\n/* " + name + "(x) */\n"), "");
    EXPECT_EQ(cpp("auto a = \"" + std::string(name) + "(x)\";\n"), "");
    EXPECT_EQ(cpp("auto a = R\"x(\")" + std::string(name) + "(x))x\";\n"), "");
    EXPECT_EQ(cpp("my_" + call + "a." + call + "a->" + call), "");
  }
  EXPECT_EQ(cpp("snprintf(x); fgets(x); system_error(x); int rand = 1;\n"), "");
}

TEST(TidyRules, LiteralsAreReadToTheirEnd) {
  EXPECT_NE(cpp("char a = '\"'; system(x);\n"), "");
  EXPECT_NE(cpp("auto a = \"\\\"\"; system(x);\n"), "");
  EXPECT_NE(cpp("int a = 1'000; system(x);\n"), "");
  EXPECT_NE(cpp("auto a = \"//\"; system(x);\n"), "");
  EXPECT_EQ(cpp("auto a = \"/*\"; // system(x)\n"), "");
}

TEST(TidyRules, SleepsInTests) {
  const std::string sleep = "std::this_thread::sleep_for(1ms);\n";
  EXPECT_EQ(cpp(sleep), "");
  EXPECT_EQ(cpp(sleep, "tests/a.cpp"),
            "tests/a.cpp:1: sleep_for() in a test without '// bounded poll' or its like\n");
  EXPECT_NE(cpp("sleep(1);\n", "plugins/x/x_test.cpp"), "");
  EXPECT_NE(cpp("::usleep(1);\n", "tests/a.cpp"), "");
  EXPECT_EQ(cpp("sleep(1);  // bounded poll: 5 s\n", "tests/a.cpp"), "");
  EXPECT_EQ(cpp("// bounded poll\n" + sleep, "tests/a.cpp"), "");
  EXPECT_EQ(cpp("sleep(1);  // slow on purpose\n", "tests/a.cpp"), "");
  EXPECT_NE(cpp("// bounded poll\n\n" + sleep, "tests/a.cpp"), "");
  EXPECT_NE(cpp("auto a = \"// bounded poll\"; " + sleep, "tests/a.cpp"), "");
}

TEST(TidyRules, UsingNamespaceStd) {
  EXPECT_EQ(cpp("using namespace std;\n"), "framework/a.cpp:1: 'using namespace std'\n");
  EXPECT_EQ(cpp("using  namespace\n std;\n"), "framework/a.cpp:1: 'using namespace std'\n");
  EXPECT_EQ(cpp("using namespace std::chrono_literals;\nusing std::vector;\n"), "");
}

TEST(TidyRules, EmptyCatchBodies) {
  EXPECT_EQ(cpp("try {\n} catch (...) {\n}\n"), "framework/a.cpp:2: an empty catch body\n");
  EXPECT_EQ(cpp("catch (const Error& e) {}\n"), "framework/a.cpp:1: an empty catch body\n");
  EXPECT_EQ(cpp("catch (...) { f(); }\n"), "");
  EXPECT_EQ(cpp("catch (...) {\n  // the destructor must not throw\n}\n"), "");
}

TEST(TidyRules, Notes) {
  for (const std::string note : {"TODO", "FIXME", "XXX", "HACK"}) {
    EXPECT_EQ(cpp("int a;  // " + note + ": x\n"),
              "framework/a.cpp:1: " + note + ": an issue, or nothing\n");
    EXPECT_EQ(cpp("const char* a = \"" + note + "\"; int " + note + "_b;\n"), "");
  }
}

TEST(TidyRules, CodeInComments) {
  for (const std::string code :
       {"f(x);", "int a = 1;", "}", "return x;", "if (a) {", "#include <a>"}) {
    EXPECT_EQ(cpp("  // " + code + "\n"), "framework/a.cpp:1: code in a comment\n") << code;
    EXPECT_EQ(cpp("  /// " + code + "\n"), "") << code;
  }
  EXPECT_EQ(cpp("// It waits; then it ends;\n// a rename (see x) {\n// }  // namespace\n"), "");
}

TEST(Functions, AreFoundByTheirBraces) {
  const SourceText source("a.cpp", R"(
#define BODY(x) \
  void x() {    \
  }
namespace a::b {
enum class Colour { red, green };
const std::map<int, int> table = {
    {1, f(2)},
};
struct S : Base<int> {
  int member{1};
  explicit S(int x)
      : a_{x}, b_(x) {
    run([] {
      return "}";
    });
  }
 private:
  bool ok() const { return true; }
};
template <class T, std::enable_if_t<(1 > 0), int> = 0>
T twice(T x) {
  if (x) {
    return x;
  }
  return 2 * x;
}
extern "C" {
int c(void) {
  return '{';
}
}
TEST(Suite, Name) {
  // }
}
}  // namespace a::b
)");
  std::string found;
  for (const Function& each : functions_of(source)) {
    found += std::to_string(each.line) + "+" + std::to_string(each.lines) + " " + each.head + "\n";
  }
  EXPECT_EQ(found,
            "12+6 explicit S(int x) : a_{x}, b_(x) \n"
            "19+1 bool ok() const \n"
            "21+7 template <class T, std::enable_if_t<(1 > 0), int> = 0> T twi\n"
            "29+3 int c(void) \n"
            "33+3 TEST(Suite, Name) \n");
}

}  // namespace
}  // namespace muster::layering
