#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <muster/codec/codec.hpp>
#include <muster/codec/text.hpp>
#include <muster/mapreduce/aggregation_table.hpp>
#include <muster/plugin/abi.h>
#include <muster/sdk/emitter.hpp>
#include <muster/sdk/sorted_output.hpp>
#include <muster/sdk/task_traits.hpp>

namespace muster::sdk {

/// Calls visit(ByteReader&) at the start of each record of a partition, which reads one record, and
/// block_done() after each block.
template <class Visit, class BlockDone>
void for_each_encoded(const muster_reduce_host& host, Visit&& visit, BlockDone&& block_done) {
  for (;;) {
    muster_bytes block{};
    const int got = host.next_block(host.context, &block);
    if (got < 0) throw HostFailed{};
    if (got == 0) return;
    ByteReader in(std::string_view(block.data, block.size), "a block of map output");
    while (!in.empty()) visit(in);
    block_done();
  }
}

/// The host knows which partition it is, and says so.
inline Error too_large_partition(const muster_reduce_host& host) {
  return Error(
      ErrorCode::limit,
      "it does not fit into " + std::to_string(host.memory_bytes >> 20U) + " MiB of memory",
      "raise --partitions, or --memory");
}

/// The texts of keys. A string key is its own text; others are decoded and written out.
template <class Key>
class KeyTexts {
 public:
  std::string_view text(std::string_view encoded) {
    if constexpr (std::convertible_to<const Key&, std::string_view>) {
      return encoded;
    } else {
      ByteReader in(encoded, "a key");
      std::string& text = texts_.emplace_back();
      append_text(text, Codec<Key>::decode(in));
      return text;
    }
  }

 private:
  std::deque<std::string> texts_;
};

/// The reduce side of a task with `combine`: one table over all runs, then a sort by key text.
template <class Task>
muster_counts reduce_combining(const Task& task, const muster_reduce_host& host) {
  using Value = typename Task::Value;
  mapreduce::AggregationTable<Value, CombineWith<Task>> table(mapreduce::reduce_seed, {&task});
  std::uint64_t records = 0;
  const auto add = [&](ByteReader& in) {
    const std::string_view key = in.string();
    table.add(key, Codec<Value>::decode(in));
    ++records;
  };
  for_each_encoded(host, add, [&] {
    if (table.memory_bytes() > host.memory_bytes) throw too_large_partition(host);
  });

  const std::uint64_t sort_bytes = table.size() * (sizeof(SortKey) + sizeof(const Value*));
  if (table.size() > UINT32_MAX || table.memory_bytes() + sort_bytes > host.memory_bytes) {
    throw too_large_partition(host);
  }
  std::vector<SortKey> order;
  std::vector<const Value*> values;
  order.reserve(table.size());
  values.reserve(table.size());
  KeyTexts<typename Task::Key> texts;
  table.for_each([&](std::string_view key, const Value& value) {
    order.emplace_back(texts.text(key), static_cast<std::uint32_t>(values.size()));
    values.push_back(&value);
  });
  std::sort(order.begin(), order.end());

  LineBlocks lines(host);
  for (const SortKey& each : order) {
    std::string& out = lines.buffer();
    const std::size_t start = out.size();
    out.append(each.text());
    out.push_back('\t');
    append_text(out, *values[each.index]);
    out.push_back('\n');
    lines.appended(start, each.size);
  }
  lines.flush();
  return {records, lines.written()};
}

/// The records of one partition in memory, sorted by key text; equal keys in input order.
template <class Task>
class GroupedRecords {
 public:
  explicit GroupedRecords(const muster_reduce_host& host) {
    const auto keep_record = [&](ByteReader& in) {
      const std::string_view key = in.string();
      // Kept as bytes until their group's turn: decoded values may be many times larger.
      const std::size_t before = in.remaining();
      const char* value_start = in.peek();
      static_cast<void>(Codec<typename Task::Value>::decode(in));
      add(key, std::string_view(value_start, before - in.remaining()), host);
    };
    for_each_encoded(host, keep_record, [] {});
    std::sort(order_.begin(), order_.end(), [this](const SortKey& a, const SortKey& b) {
      // Different keys may have the same text; they are still different groups.
      if (!text_is_key && a.text() == b.text() && key(a.index) != key(b.index)) {
        return key(a.index) < key(b.index);
      }
      return a < b;
    });
  }

  bool same_key(const SortKey& a, const SortKey& b) const {
    return text_is_key ? a.text() == b.text() : key(a.index) == key(b.index);
  }

  const std::vector<SortKey>& order() const noexcept { return order_; }
  std::string_view key(std::uint32_t index) const { return records_[index].key; }
  std::string_view value(std::uint32_t index) const { return records_[index].value; }

 private:
  static constexpr bool text_is_key =
      std::convertible_to<const typename Task::Key&, std::string_view>;

  struct Stored {
    std::string_view key;
    std::string_view value;
  };

  void add(std::string_view key, std::string_view value, const muster_reduce_host& host) {
    held_ += key.size() + value.size() + sizeof(Stored) + sizeof(SortKey);
    if (held_ > host.memory_bytes || records_.size() == UINT32_MAX) throw too_large_partition(host);
    const Stored stored{keep(key), keep(value)};
    order_.emplace_back(texts_.text(stored.key), static_cast<std::uint32_t>(records_.size()));
    records_.push_back(stored);
  }

  std::string_view keep(std::string_view bytes) {
    constexpr std::size_t block_bytes = std::size_t{1} << 20U;
    if (arena_.empty() || arena_.back().capacity() - arena_.back().size() < bytes.size()) {
      arena_.emplace_back().reserve(std::max(block_bytes, bytes.size()));
    }
    std::string& block = arena_.back();
    const std::size_t at = block.size();
    block.append(bytes);
    return std::string_view(block).substr(at, bytes.size());
  }

  std::deque<std::string> arena_;
  std::vector<Stored> records_;
  std::vector<SortKey> order_;
  KeyTexts<typename Task::Key> texts_;
  std::uint64_t held_ = 0;
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class Key>
Key key_from(std::string_view encoded) {
  if constexpr (std::convertible_to<const Key&, std::string_view>) {
    return Key(encoded);
  } else {
    ByteReader in(encoded, "a key");
    return Codec<Key>::decode(in);
  }
}

/// The reduce side of a task with `reduce(key, values)`.
template <class Task>
muster_counts reduce_grouped(const Task& task, const muster_reduce_host& host) {
  using Key = typename Task::Key;
  using Value = typename Task::Value;
  const GroupedRecords<Task> records(host);
  const std::vector<SortKey>& order = records.order();
  LineBlocks lines(host);
  std::vector<Value> values;
  for (std::size_t first = 0; first < order.size();) {
    values.clear();
    std::size_t next = first;
    for (; next < order.size() && records.same_key(order[next], order[first]); ++next) {
      ByteReader in(records.value(order[next].index), "a value");
      values.push_back(Codec<Value>::decode(in));
    }
    const auto write = [&](const auto& result) {
      std::string& out = lines.buffer();
      const std::size_t start = out.size();
      out.append(order[first].text());
      out.push_back('\t');
      append_text(out, result);
      out.push_back('\n');
      lines.appended(start, order[first].size);
    };
    auto result =
        task.reduce(key_from<Key>(records.key(order[first].index)), std::span<Value>(values));
    if constexpr (IsOptional<decltype(result)>::value) {
      if (result) write(*result);
    } else {
      write(result);
    }
    first = next;
  }
  lines.flush();
  return {order.size(), lines.written()};
}

}  // namespace muster::sdk
