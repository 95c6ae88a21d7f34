#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "source_text.hpp"

namespace muster::layering {

inline constexpr std::size_t file_lines_max = 500;
inline constexpr std::size_t file_lines_long = 300;  ///< counted, not forbidden
inline constexpr std::size_t function_lines_max = 70;
inline constexpr std::size_t columns_max = 100;

/// A function: from the first line of its head to the line of its closing brace.
struct Function {
  std::string head;  ///< on one line, shortened
  std::size_t line = 0;
  std::size_t lines = 0;
};

/// The functions defined in a file, by their braces: what has a parameter list and a body, outside
/// of any other function. Bodies in macros do not count.
std::vector<Function> functions_of(const SourceText& source);

/// Columns, tabs, trailing white space, the final newline. For any text file.
std::vector<Finding> check_text(const SourceText& source);

/// What clang-format and the compilers leave open, for C++: lengths of files and functions, names,
/// include guards, banned calls, empty catch bodies, notes to self, code in comments.
std::vector<Finding> check_cpp(const SourceText& source);

}  // namespace muster::layering
