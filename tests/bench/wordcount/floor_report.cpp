#include "floor_report.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

namespace floor_bench {

namespace {

constexpr std::size_t kBuckets = 65536;

// The first sixteen bytes as two big-endian numbers, padded with zeros, decide nearly always, and
// for words of a key's size they are the whole word: sorting then never leaves the array.
struct Item {
  std::uint64_t first;
  std::uint64_t second;
  const char* text;  // null for a word of a key's size
  std::size_t size;
  std::uint64_t count;

  std::size_t bucket() const { return first >> 48; }
};

bool comes_before(const Item& a, const Item& b) {
  if (a.first != b.first) return a.first < b.first;
  if (a.second != b.second) return a.second < b.second;
  const std::size_t common = std::min(a.size, b.size);
  if (common > kShortWord) {
    const int order = std::memcmp(a.text + kShortWord, b.text + kShortWord, common - kShortWord);
    if (order != 0) return order < 0;
  }
  return a.size < b.size;
}

std::uint64_t big_endian(std::uint64_t bytes) {
  return std::endian::native == std::endian::little ? __builtin_bswap64(bytes) : bytes;
}

Item item_of(const LongWord& word) {
  Key bytes;
  std::memcpy(&bytes, word.text, sizeof bytes);
  return {big_endian(bytes.low), big_endian(bytes.high), word.text, word.size, word.count};
}

// Bytes of the word in one part of its key; the padding behind them is zero.
unsigned bytes_in(std::uint64_t part) {
  return 8 - static_cast<unsigned>(std::countl_zero(part)) / 8;
}

Item item_of(const Slot& slot) {
  const auto text_of = [](std::uint64_t part, unsigned bytes) {
    return bytes == 0 ? 0 : big_endian(part ^ (kBlanks & (~std::uint64_t{0} >> (64 - 8 * bytes))));
  };
  const unsigned high = bytes_in(slot.key.high);
  const unsigned low = high != 0 ? 8 : bytes_in(slot.key.low);
  return {text_of(slot.key.low, low), text_of(slot.key.high, high), nullptr,
          std::size_t{low} + high, slot.count};
}

template <typename Use>
void for_each_item(const Worker& worker, unsigned half, const Use& use) {
  const std::size_t size = worker.table.size() / 2;
  const Slot* const slots = worker.table.slots() + half * size;
  for (std::size_t i = 0; i < size; ++i) {
    if (!slots[i].free()) use(item_of(slots[i]));
  }
  if (half != 0) return;
  for (const LongWord& word : worker.long_words.words()) use(item_of(word));
}

void append_line(std::string& out, const Item& item) {
  const std::uint64_t bytes[2] = {big_endian(item.first), big_endian(item.second)};
  const char* const text = item.text != nullptr ? item.text : reinterpret_cast<const char*>(bytes);
  char digits[24];
  digits[0] = '\t';
  char* const end = std::to_chars(digits + 1, digits + 22, item.count).ptr;
  *end = '\n';
  out.append(text, item.size);
  out.append(digits, static_cast<std::size_t>(end + 1 - digits));
}

void sort_and_format(Item* items, const std::vector<std::uint32_t>& bounds, std::size_t from,
                     std::size_t to, std::string& out) {
  out.reserve(static_cast<std::size_t>(bounds[to] - bounds[from]) * 16 + 64);
  for (std::size_t bucket = from; bucket < to; ++bucket) {
    Item* const begin = items + bounds[bucket];
    Item* const end = items + bounds[bucket + 1];
    if (begin == end) continue;
    if (end - begin > 1) std::sort(begin, end, comes_before);
    for (Item* item = begin; item != end; ++item) append_line(out, *item);
  }
}

}  // namespace

void in_parallel(const std::function<void(unsigned)>& part) {
  std::exception_ptr errors[2];
  const auto guarded = [&](unsigned number) {
    try {
      part(number);
    } catch (...) {
      errors[number] = std::current_exception();
    }
  };
  std::thread other(guarded, 1U);
  guarded(0);
  other.join();
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

void merge(Worker& into, Worker& from) {
  std::vector<Slot> rest[2];
  in_parallel([&](unsigned half) { into.table.merge_half(half, from.table, rest[half]); });
  for (const auto& slots : rest) {
    for (const Slot& slot : slots) {
      into.table.reserve(1);
      into.table.add(slot.key, slot.hash, slot.count);
    }
  }
  for (const LongWord& word : from.long_words.words()) {
    into.long_words.add(word.text, word.size, word.count);
  }
  into.tokens += from.tokens;
}

Report make_report(const Worker& worker) {
  // A bucket holds the words with the same first two bytes; each half has its own share of it.
  std::vector<std::uint32_t> next[2];
  in_parallel([&](unsigned half) {
    next[half].resize(kBuckets, 0);
    for_each_item(worker, half, [&](const Item& item) { ++next[half][item.bucket()]; });
  });
  std::vector<std::uint32_t> bounds(kBuckets + 1, 0);
  std::uint32_t total = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    bounds[bucket] = total;
    for (auto& starts : next) total += std::exchange(starts[bucket], total);
  }
  bounds[kBuckets] = total;

  const auto items = std::make_unique_for_overwrite<Item[]>(total);
  in_parallel([&](unsigned half) {
    for_each_item(worker, half,
                  [&](const Item& item) { items[next[half][item.bucket()]++] = item; });
  });

  Report report;
  report.words = total;
  const auto middle = static_cast<std::size_t>(
      std::lower_bound(bounds.begin(), bounds.end() - 1, total / 2) - bounds.begin());
  in_parallel([&](unsigned number) {
    const std::size_t from = number == 0 ? 0 : middle;
    const std::size_t to = number == 0 ? middle : kBuckets;
    sort_and_format(items.get(), bounds, from, to, number == 0 ? report.first : report.second);
  });
  return report;
}

}  // namespace floor_bench
