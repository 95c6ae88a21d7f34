#include "support/reference.hpp"

#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include <muster/base/random.hpp>

namespace muster::testing {
namespace {

std::string random_file(Random& random) {
  constexpr std::string_view separators[] = {" ",    "\n", "\t", "\r\n", "  ",
                                             "\n\n", "\v", "\f", ","};
  std::string text;
  for (std::uint64_t words = random.below(60); words > 0; --words) {
    const std::uint64_t size = random.below(10) == 0 ? 14 + random.below(20) : random.below(8);
    const bool any_byte = random.below(20) == 0;
    for (std::uint64_t i = 0; i < size; ++i) {
      text.push_back(any_byte ? static_cast<char>(random.below(256))
                              : "abcABCxyz019-"[random.below(13)]);
    }
    text += separators[random.below(std::size(separators))];
  }
  return text;
}

}  // namespace

std::string counting_pipeline(Counting counting) {
  const std::string split =
      counting == Counting::tokens ? "tr -s '[:space:]' '\\n'" : "tr -cs A-Za-z '\\n' | tr A-Z a-z";
  // The first line is empty if the text starts with a separator.
  return split + " | sed '/^$/d' | sort | uniq -c | sed -E 's/^ *([0-9]+) (.*)$/\\2\\t\\1/'";
}

std::string separated_files() { return "while IFS= read -r file; do cat \"$file\"; echo; done"; }

std::vector<std::string> settings(Counting counting) {
  if (counting == Counting::tokens) return {};
  return {"--set", "tokens=letters", "--set", "case=lower"};
}

std::vector<std::pair<std::string, std::string>> nasty_files(std::uint64_t seed) {
  using namespace std::string_literals;
  std::vector<std::pair<std::string, std::string>> out = {
      {"empty", ""},
      {"one-newline", "\n"},
      {"newlines", std::string(500, '\n')},
      {"spaces", std::string(300, ' ')},
      {"no-newline-at-end", "first line\nlast line"},
      {"one-letter", "x"},
      {"crlf", "one two\r\nthree\r\n\r\nfour"},
      {"nul", "a\0b a\0 \0 \0\0 a\n\0\n"s},
      {"invalid-utf8", "\xff\xfe caf\xc3 \xc3\xa9t\xc3\xa9 \x80\x80\n\xed\xa0\x80 \xf8 x\n"},
      {"every-byte", ""},
      {"starts-with-blank", " \n\t x"},
      {"long-line", ""},
      {"long-word", "before " + std::string(100'000, 'w') + " after\n"}};
  for (int i = 0; i < 256; ++i) out[9].second += {static_cast<char>(i), 'q'};
  for (int i = 0; i < 5000; ++i) out[11].second += fmt::format("w{} ", i % 700);
  for (const std::size_t size : {14U, 15U, 16U, 17U, 31U, 1000U}) {
    const std::string word(size, 'k');
    out.emplace_back(fmt::format("word-{}", size),
                     fmt::format("{0}\n{0} {0}l {1}\n{0}", word, word.substr(1)));
  }
  Random random(seed);
  while (out.size() < 200)
    out.emplace_back(fmt::format("random-{}", out.size()), random_file(random));
  return out;
}

std::string skewed_text(std::size_t bytes, std::uint64_t seed) {
  constexpr double word_count_log = 12.0;  // e^12 words, each rank as likely as 1/rank
  Random random(seed);
  std::string out;
  out.reserve(bytes + 64);
  while (out.size() < bytes) {
    const auto rank = static_cast<std::uint64_t>(std::exp(random.unit() * word_count_log));
    out += fmt::format("{}{:x}", rank % 3 == 0 ? "The" : "w", rank * 2654435761U % 4294967291U);
    out.push_back(random.below(12) == 0 ? '\n' : ' ');
  }
  return out;
}

}  // namespace muster::testing
