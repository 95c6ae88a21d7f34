// muster-make-text: writes natural-looking text of an exact size, the same for the same arguments.
//
//   muster-make-text BYTES [--seed N] [--distinct N] > file
//
// Words follow Zipf's law over a made-up vocabulary that opens with common English words.
// Capitals and punctuation make further tokens out of a word, so the vocabulary is smaller than
// the number of distinct tokens asked for; a text of 1 GB gets close to that number.

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "make_text_words.hpp"

namespace {

using make_text::kMaxWord;
using make_text::make_vocabulary;
using make_text::Rng;

// Tokens seen per vocabulary word in 1 GB at the default size: plain, with a comma, with a full
// stop, with a capital, and the rarer combinations. Measured, not derived.
constexpr double kTokensPerWord = 4.74;

// Vose's alias method: one random number and at most two look-ups give a rank.
class ZipfSampler {
 public:
  explicit ZipfSampler(std::size_t size) : cells_(size) {
    std::vector<double> share(size);
    double total = 0;
    for (std::size_t i = 0; i < size; ++i) total += share[i] = 1.0 / (static_cast<double>(i) + 2);
    for (auto& s : share) s *= static_cast<double>(size) / total;
    std::vector<std::uint32_t> small;
    std::vector<std::uint32_t> large;
    for (std::size_t i = 0; i < size; ++i) {
      (share[i] < 1.0 ? small : large).push_back(static_cast<std::uint32_t>(i));
    }
    while (!small.empty() && !large.empty()) {
      const std::uint32_t low = small.back();
      const std::uint32_t high = large.back();
      small.pop_back();
      cells_[low] = {static_cast<std::uint32_t>(share[low] * 4294967295.0), high};
      share[high] -= 1.0 - share[low];
      if (share[high] < 1.0) {
        large.pop_back();
        small.push_back(high);
      }
    }
    for (const auto* rest : {&small, &large}) {
      for (const std::uint32_t i : *rest) cells_[i] = {0xffffffffU, i};
    }
  }

  std::uint32_t pick(std::uint64_t random) const {
    const auto column = static_cast<std::uint32_t>(((random >> 32) * cells_.size()) >> 32);
    const Cell cell = cells_[column];
    return static_cast<std::uint32_t>(random) <= cell.threshold ? column : cell.alias;
  }

 private:
  struct Cell {
    std::uint32_t threshold = 0;
    std::uint32_t alias = 0;
  };
  std::vector<Cell> cells_;
};

void write_all(const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t wrote = ::write(STDOUT_FILENO, data, size);
    if (wrote < 0) {
      if (errno == EINTR) continue;
      throw std::runtime_error(std::string("cannot write: ") + std::strerror(errno));
    }
    data += wrote;
    size -= static_cast<std::size_t>(wrote);
  }
}

// Words in slots of fixed size, so that copying one is two fixed moves.
struct alignas(32) Slot {
  std::array<char, kMaxWord + 1> text{};
  std::uint8_t size = 0;
};

class TextMaker {
 public:
  TextMaker(std::uint64_t seed, std::size_t vocabulary)
      : rng_(seed), sampler_(vocabulary), slots_(vocabulary), buffer_(kBuffer + kMargin) {
    const std::vector<std::string> words = make_vocabulary(rng_, vocabulary);
    for (std::size_t i = 0; i < vocabulary; ++i) {
      slots_[i].size = static_cast<std::uint8_t>(words[i].size());
      std::copy(words[i].begin(), words[i].end(), slots_[i].text.begin());
    }
  }

  void write(std::uint64_t bytes) {
    std::uint64_t left = bytes;
    std::size_t used = 0;
    while (left > 0) {
      while (used < kBuffer) used += sentence(buffer_.data() + used);
      const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left, kBuffer));
      if (size == left) finish(size);
      write_all(buffer_.data(), size);
      left -= size;
      used -= std::min(size, used);
      std::memmove(buffer_.data(), buffer_.data() + size, used);
    }
  }

 private:
  static constexpr std::size_t kBuffer = 1U << 20;
  static constexpr std::size_t kMargin = 4096;  // more than the longest sentence
  static constexpr std::size_t kLine = 78;

  // The size is exact: what is left of a word that does not fit becomes newlines.
  void finish(std::size_t size) {
    std::size_t at = size - 1;
    while (at > 0 && buffer_[at] != ' ' && buffer_[at] != '\n') --at;
    std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(at),
              buffer_.begin() + static_cast<std::ptrdiff_t>(size), '\n');
  }

  // Adds one sentence. The separator goes before a word, where the line's length is known.
  std::size_t sentence(char* out) {
    char* const begin = out;
    const std::uint32_t last = 4 + rng_.below(24);
    for (std::uint32_t i = 0; i <= last; ++i) {
      const Slot& slot = slots_[sampler_.pick(rng_.next())];
      if (column_ != 0) {
        const bool full = column_ + slot.size > kLine;
        *out++ = full ? '\n' : ' ';
        column_ = full ? 0 : column_;
      }
      std::memcpy(out, &slot, sizeof slot);
      if (i == 0) *out = static_cast<char>(std::toupper(static_cast<unsigned char>(*out)));
      out += slot.size;
      *out = i < last ? ',' : '.';
      const std::size_t mark = i == last || rng_.below(14) == 0 ? 1 : 0;
      out += mark;
      column_ += slot.size + mark + 1;
    }
    if (++sentences_ >= 3 && rng_.below(5) == 0) {
      *out++ = '\n';
      *out++ = '\n';
      column_ = 0;
      sentences_ = 0;
    }
    return static_cast<std::size_t>(out - begin);
  }

  Rng rng_;
  ZipfSampler sampler_;
  std::vector<Slot> slots_;
  std::vector<char> buffer_;
  std::size_t column_ = 0;
  std::uint32_t sentences_ = 0;
};

struct Options {
  std::uint64_t bytes = 0;
  std::uint64_t seed = 1;
  std::uint64_t distinct = 440000;
};

std::uint64_t parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::runtime_error("not a number: " + std::string(text));
  }
  return value;
}

Options parse_options(int argc, char** argv) {
  Options options;
  bool have_bytes = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--seed" && i + 1 < argc) {
      options.seed = parse_number(argv[++i]);
    } else if (arg == "--distinct" && i + 1 < argc) {
      options.distinct = std::clamp<std::uint64_t>(parse_number(argv[++i]), 5, 1U << 28);
    } else if (!have_bytes) {
      options.bytes = parse_number(arg);
      have_bytes = true;
    } else {
      throw std::runtime_error("unexpected argument: " + std::string(arg));
    }
  }
  if (!have_bytes) {
    throw std::runtime_error("usage: muster-make-text BYTES [--seed N] [--distinct N] > file");
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse_options(argc, argv);
    const double words = static_cast<double>(options.distinct) / kTokensPerWord;
    TextMaker maker(options.seed, std::max<std::size_t>(1, static_cast<std::size_t>(words)));
    maker.write(options.bytes);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster-make-text: %s\n", error.what());
    return 1;
  }
}
