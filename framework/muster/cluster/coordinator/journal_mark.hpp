#pragma once

#include <cstdint>
#include <filesystem>

#include <muster/base/file.hpp>

namespace muster::cluster {

/// How much of a journal was acknowledged, in a small file beside it: a number that grows.
///
/// SQLite takes whatever is damaged in its write-ahead log for the end of it, and one that is gone
/// for an empty one. So what was there would be missing without a word; by this it is missed. It is
/// written after each commit, and not synced: after a loss of power it may be behind, never ahead.
class JournalMark {
 public:
  /// Made if it is missing. Throws Error(io).
  explicit JournalMark(const std::filesystem::path& file);

  /// 0 if nothing was written yet, or not before a loss of power. Throws Error(corrupt), Error(io).
  std::uint64_t read() const;
  /// Throws Error(io or no_space).
  void write(std::uint64_t number);

 private:
  std::filesystem::path file_;
  UniqueFd fd_;
};

}  // namespace muster::cluster
