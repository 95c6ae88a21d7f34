#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace muster::layering {

/// One fault of a source file. `line` counts from 1; 0 means the file as a whole.
struct Finding {
  std::string file;
  std::size_t line = 0;
  std::string text;

  bool operator==(const Finding&) const = default;
};

/// "file:line: text", a line each.
std::string to_text(const std::vector<Finding>& findings);

/// A source file taken apart. The two views are as long as the text and have their newlines where
/// it has, so that a position means the same in all three.
class SourceText {
 public:
  SourceText(std::string name, std::string text);

  const std::string& name() const { return name_; }  ///< as shown to people, '/'-separated
  const std::string& text() const { return text_; }
  const std::string& code() const { return code_; }  ///< comments, contents of strings: blanks
  const std::string& comments() const { return comments_; }  ///< all but comments: blanks

  bool is_header() const;
  bool is_test() const;  ///< below tests/, or NAME_test.cpp

  std::size_t line_of(std::size_t position) const;
  std::size_t line_count() const { return line_starts_.size(); }
  std::string_view line(std::size_t number) const;  ///< of the text, without its newline
  std::string_view comment_line(std::size_t number) const;

 private:
  std::string_view line_in(const std::string& view, std::size_t number) const;
  void take_apart();

  std::string name_;
  std::string text_;
  std::string code_;
  std::string comments_;
  std::vector<std::size_t> line_starts_;
};

/// The C++ files (.cpp, .hpp, .h) below `root`/`folder`, by name. Folders that do not exist are
/// empty. Names are relative to `root`.
std::vector<SourceText> read_sources(const std::filesystem::path& root,
                                     const std::vector<std::string>& folders,
                                     const std::vector<std::string>& extensions = {".cpp", ".hpp",
                                                                                   ".h"});

bool is_word_char(char c);

/// Where `word` next stands as a word of its own, or npos.
std::size_t find_word(std::string_view text, std::string_view word, std::size_t from = 0);

}  // namespace muster::layering
