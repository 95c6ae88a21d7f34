#include "make_text_words.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace make_text {

namespace {

constexpr std::string_view kCommonWords =
    "the of and to in a is that for it was on as with be he by at his from are this i have not or "
    "which had but one all were they you their her she an there been will has more if no when what "
    "so who would up out said its about into than them can only other time new some could these "
    "two may first then do any like my now over such our man me even most made after also did many "
    "off before must well back through years much where your way down should because long each "
    "just those people too mr how little state good world make very year still see own work men "
    "day get here between both life being under never same another know while last might us great "
    "old since against go right came three take states himself few house use during without again "
    "place around however home small found thought went say part once general high upon school "
    "every don't does got united left number course war until always away something fact water "
    "though less public put think almost hand enough far took head yet government system set told "
    "nothing night end why didn't called eyes find going look asked later point knew next city";

std::string made_up_word(Rng& rng, std::size_t length) {
  static constexpr std::array<std::string_view, 40> kOnsets = {
      "b",  "c",  "d",  "f",  "g",  "h",  "l",  "m",  "n",  "p",  "r",  "s", "t",  "v",
      "w",  "s",  "t",  "r",  "n",  "l",  "d",  "m",  "c",  "p",  "k",  "j", "st", "tr",
      "pr", "ch", "sh", "th", "gr", "br", "cl", "pl", "sp", "fr", "qu", "z"};
  static constexpr std::array<std::string_view, 16> kVowels = {
      "e", "a", "i", "o", "u", "e", "a", "i", "o", "e", "ea", "ou", "io", "ie", "ai", "y"};
  static constexpr std::array<std::string_view, 24> kCodas = {
      "",  "",  "",  "",  "",  "",  "",   "",   "n",  "r",  "s",  "t",
      "l", "d", "m", "c", "n", "r", "ng", "nt", "st", "ll", "ss", "ck"};
  std::string word;
  if (rng.below(4) == 0) word += kVowels[rng.below(10)];
  while (word.size() < length) {
    word += kOnsets[rng.below(kOnsets.size())];
    word += kVowels[rng.below(kVowels.size())];
    word += kCodas[rng.below(kCodas.size())];
  }
  word.resize(length);
  return word;
}

// Swaps one vowel for a two-byte UTF-8 letter, if there is one after the first letter.
void add_accent(std::string& word) {
  static constexpr std::string_view kPlain = "eaiou";
  static constexpr std::array<std::string_view, 5> kAccented = {"é", "ä", "ï", "ö", "ü"};
  const std::size_t at = word.find_first_of(kPlain, 1);
  if (at != std::string::npos) word.replace(at, 1, kAccented[kPlain.find(word[at])]);
}

// Frequent words are short: the mean length grows with the logarithm of the rank.
std::size_t pick_length(Rng& rng, std::size_t rank) {
  if (rng.below(250) == 0) return 17 + rng.below(8);
  const double mean = 1.40 + 0.62 * std::log(static_cast<double>(rank) + 1.0);
  double spread = 0;
  for (int i = 0; i < 3; ++i) spread += static_cast<double>(rng.below(1000)) / 1000.0 - 0.5;
  return static_cast<std::size_t>(std::clamp(mean + spread * 3.4, 2.0, 16.0) + 0.5);
}

}  // namespace

std::vector<std::string> make_vocabulary(Rng& rng, std::size_t size) {
  std::vector<std::string> words;
  std::unordered_set<std::string> seen;
  words.reserve(size);
  seen.reserve(size);
  for (std::size_t at = 0; at < kCommonWords.size() && words.size() < size;) {
    const std::size_t end = std::min(kCommonWords.find(' ', at), kCommonWords.size());
    std::string word(kCommonWords.substr(at, end - at));
    if (seen.insert(word).second) words.push_back(std::move(word));
    at = end + 1;
  }
  while (words.size() < size) {
    std::size_t length = pick_length(rng, words.size());
    // Short words run out, so every few failures allow one letter more.
    for (unsigned tries = 1;; ++tries) {
      std::string word = made_up_word(rng, length);
      if (rng.below(150) == 0) add_accent(word);
      if (seen.insert(word).second) {
        words.push_back(std::move(word));
        break;
      }
      if (tries % 4 == 0) length = std::min(length + 1, kMaxWord - 2);
    }
  }
  return words;
}

}  // namespace make_text
