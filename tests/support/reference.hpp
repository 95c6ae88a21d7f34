#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace muster::testing {

/// How `wordcount` is told to count.
enum class Counting {
  tokens,         ///< as they stand, between white space
  lower_letters,  ///< runs of letters, folded: --set tokens=letters --set case=lower
};

/// Shell commands that count the words of their standard input with the core utilities, and print
/// them as wordcount does: key<TAB>count, sorted by key bytes.
std::string counting_pipeline(Counting counting);

/// Prints the files named on standard input, a name a line, one after the other: Muster takes each
/// by itself, so no word reaches from one into the next.
std::string separated_files();

/// Settings of wordcount for a counting.
std::vector<std::string> settings(Counting counting);

/// 200 small files, the same for the same seed: the nasty cases by name, then random ones.
std::vector<std::pair<std::string, std::string>> nasty_files(std::uint64_t seed);

/// Text of about that size: words of a skewed distribution, many of them rare, in lines.
std::string skewed_text(std::size_t bytes, std::uint64_t seed);

}  // namespace muster::testing
