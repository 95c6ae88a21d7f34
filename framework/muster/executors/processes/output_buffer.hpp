#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace muster::detail {

/// Cuts what a process prints into lines, and remembers the last few KiB for the report of its
/// death. Bounded: a longer line is delivered in pieces. Not thread-safe.
class OutputBuffer {
 public:
  /// Appends the lines that are complete now to `lines`, without their newlines.
  void add(std::string_view bytes, std::vector<std::string>& lines);

  /// Nothing more will come: what is left is a line too.
  void finish(std::vector<std::string>& lines);

  /// The last lines, at most tail_bytes_max; the first one may be cut if it is longer than that.
  std::string tail() const;

  static constexpr std::size_t line_bytes_max = 8192;
  static constexpr std::size_t tail_bytes_max = 4096;

 private:
  void remember(std::string_view bytes);

  std::string line_;
  std::string recent_;
};

}  // namespace muster::detail
