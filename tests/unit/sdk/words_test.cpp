#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/random.hpp>
#include <muster/sdk/words.hpp>

namespace muster {
namespace {

using Texts = std::vector<std::string>;

template <class Class>
Texts naive(std::string_view text) {
  Texts out;
  bool open = false;
  for (const char c : text) {
    const bool in = Class::contains(static_cast<unsigned char>(c));
    if (in && !open) out.emplace_back();
    if (in) out.back().push_back(c);
    open = in;
  }
  return out;
}

template <class Class>
Texts chosen(std::string_view text) {
  Texts out;
  for_each_run<Class>(text, [&](std::string_view run) { out.emplace_back(run); });
  return out;
}

template <class Class>
Texts portable(std::string_view text) {
  Texts out;
  const auto visit = [&](std::string_view run) { out.emplace_back(run); };
  detail::runs_portable<Class>(text, visit);
  return out;
}

Texts iterated(std::string_view text) {
  Texts out;
  for (const std::string_view word : words(text)) out.emplace_back(word);
  return out;
}

template <class Class>
void expect_alike(std::string_view text) {
  const Texts expected = naive<Class>(text);
  ASSERT_EQ(chosen<Class>(text), expected) << text.size();
  ASSERT_EQ(portable<Class>(text), expected) << text.size();
}

std::string random_text(Random& random, std::size_t size) {
  constexpr std::string_view alphabet("ab Z\n\t\r\v\f\x08\x0e\x1f!@[`{\x7f\x80\xa0\xff\0", 21);
  const double blank = random.unit();
  std::string text(size, ' ');
  for (char& c : text) {
    if (!random.chance(blank)) c = alphabet[random.below(alphabet.size())];
  }
  return text;
}

TEST(CharClass, not_space_is_all_but_six_bytes) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool space = byte == ' ' || (byte >= 9 && byte <= 13);
    EXPECT_EQ(char_class::NotSpace::contains(static_cast<unsigned char>(byte)), !space) << byte;
  }
}

TEST(CharClass, letters_are_ascii_letters) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    EXPECT_EQ(char_class::Letter::contains(static_cast<unsigned char>(byte)), letter) << byte;
  }
}

// Every byte value at every place of a 64-byte step, alone among members and among others.
TEST(ForEachRun, classifies_every_byte_at_every_place) {
  for (const char around : {'a', ' '}) {
    std::string text(128, around);
    for (std::size_t at = 0; at < text.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        text[at] = static_cast<char>(byte);
        expect_alike<char_class::NotSpace>(text);
        expect_alike<char_class::Letter>(text);
      }
      text[at] = around;
    }
  }
}

TEST(ForEachRun, agrees_with_a_naive_splitter_for_every_alignment_and_size) {
  Random random(1);
  std::string arena(400, '#');  // a member of one class, so that reading outside would show
  for (std::size_t alignment = 0; alignment < 64; ++alignment) {
    for (std::size_t size = 0; size <= 300; ++size) {
      const std::string text = random_text(random, size);
      arena.replace(alignment, size, text);
      const auto view = std::string_view(arena).substr(alignment, size);
      expect_alike<char_class::NotSpace>(view);
      expect_alike<char_class::Letter>(view);
      ASSERT_EQ(iterated(view), naive<char_class::NotSpace>(view));
    }
  }
}

TEST(ForEachRun, keeps_long_runs_whole) {
  for (const std::size_t size : {63U, 64U, 65U, 127U, 128U, 129U, 1000U, 100000U}) {
    for (const char* before : {"", " ", "  x "}) {
      for (const char* after : {"", " ", " y"}) {
        expect_alike<char_class::NotSpace>(before + std::string(size, 'w') + after);
      }
    }
  }
}

TEST(ForEachRun, gives_views_into_the_text) {
  const std::string text = "  first second";
  std::vector<const char*> starts;
  for_each_run<char_class::NotSpace>(text, [&](std::string_view w) { starts.push_back(w.data()); });
  EXPECT_EQ(starts, (std::vector<const char*>{text.data() + 2, text.data() + 8}));
}

TEST(ForEachRun, of_nothing_visits_nothing) {
  EXPECT_TRUE(chosen<char_class::NotSpace>({}).empty());
  EXPECT_TRUE(portable<char_class::NotSpace>({}).empty());
  EXPECT_TRUE(chosen<char_class::NotSpace>(std::string(500, ' ')).empty());
}

TEST(ForEachRun, lets_exceptions_through) {
  int visited = 0;
  EXPECT_THROW(for_each_run<char_class::NotSpace>("a b c",
                                                  [&](std::string_view) {
                                                    if (++visited == 2) throw 1;
                                                  }),
               int);
  EXPECT_EQ(visited, 2);
}

TEST(Words, are_a_forward_range) {
  const words range("one two  three");
  EXPECT_EQ(std::distance(range.begin(), range.end()), 3);
  auto at = range.begin();
  const auto copy = at++;
  EXPECT_EQ(*copy, "one");
  EXPECT_EQ(*at, "two");
  EXPECT_NE(at, copy);
  EXPECT_EQ(*++at, "three");
  EXPECT_EQ(++at, range.end());
  EXPECT_EQ(std::count(range.begin(), range.end(), "two"), 1);
}

TEST(Words, equal_words_at_different_places_are_different_positions) {
  const words range("a a");
  auto second = range.begin();
  ++second;
  EXPECT_EQ(*second, *range.begin());
  EXPECT_NE(second, range.begin());
}

TEST(Words, of_nothing_and_of_blanks_are_none) {
  EXPECT_TRUE(iterated("").empty());
  EXPECT_TRUE(iterated({}).empty());
  EXPECT_TRUE(iterated(" \t\n").empty());
}

}  // namespace
}  // namespace muster
