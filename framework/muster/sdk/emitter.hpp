#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <muster/codec/codec.hpp>
#include <muster/mapreduce/aggregation_table.hpp>
#include <muster/mapreduce/partition_writer.hpp>
#include <muster/plugin/abi.h>
#include <muster/sdk/task_traits.hpp>

namespace muster {
namespace sdk {

/// Passes blocks of a partition on to the host of the chunk at work.
struct MapSink {
  const muster_map_host* host = nullptr;

  void operator()(std::uint32_t partition, std::string_view block, std::uint64_t records) const {
    if (host->write(host->context, partition, {block.data(), block.size()}, records) != 0) {
      throw HostFailed{};
    }
  }
};

/// The bytes of a key: a string's are its own, every other type's are its encoding.
template <class Key>
std::string_view key_bytes(const Key& key, Bytes& scratch) {
  if constexpr (std::convertible_to<const Key&, std::string_view>) {
    return key;
  } else {
    scratch.clear();
    Codec<Key>::encode(scratch, key);
    return scratch;
  }
}

template <class Task>
struct CombineWith {
  const Task* task;
  typename Task::Value operator()(typename Task::Value a, typename Task::Value b) const {
    return task->combine(std::move(a), std::move(b));
  }
};

/// Stands in for the table of a task that does not combine.
struct NoTable {
  template <class Combine>
  NoTable(mapreduce::HashSeed, Combine) {}
  static void clear() {}
};

template <class Task>
struct TableOf {
  using type = NoTable;
};
template <HasCombine Task>
struct TableOf<Task> {
  using type = mapreduce::AggregationTable<typename Task::Value, CombineWith<Task>>;
};

}  // namespace sdk

/// Where a task's map puts its pairs. Made by Muster, one a task process; the task only emits.
///
/// A task with `combine` has its pairs combined here, in the process, before anything is written;
/// a task with `reduce` alone has them written as they come. Not thread-safe.
template <class Task>
class Emitter {
 public:
  using Key = typename Task::Key;      ///< of the pairs
  using Value = typename Task::Value;  ///< of the pairs
  static_assert(Encodable<Key>, "Key needs a muster::Codec");
  static_assert(Encodable<Value>, "Value needs a muster::Codec");

  /// The task must outlive it.
  explicit Emitter(const Task& task) : table_(mapreduce::map_seed, sdk::CombineWith<Task>{&task}) {}

  /// Strings and views of them are taken for a string Key; they are copied during the call.
  template <class K>
  requires std::convertible_to<K, Key> || std::convertible_to<K, std::string_view>
  void emit(const K& key, Value value) {
    ++emitted_;
    if constexpr (combines) {
      table_.add(bytes_of(key), std::move(value));
    } else {
      append(bytes_of(key), value);
    }
  }

  /// Used by the chunk loop.
  void begin(const muster_map_host& host) {
    writer_ = Writer(host.partitions, sdk::MapSink{&host});
    partitions_ = host.partitions;
    emitted_ = written_ = 0;
    table_.clear();
  }
  /// Used by the chunk loop: writes the table out if it holds half of the memory.
  void block_done(const muster_map_host& host) {
    // Half, because a growing table holds its old and its new self for a moment.
    if constexpr (combines) {
      if (table_.memory_bytes() > host.memory_bytes / 2) {
        spill();
        table_.release();  // a table that stays large would be over the limit at every block
      }
    }
  }
  /// Used by the chunk loop: writes all that is left, and says how much was emitted and written.
  muster_counts finish() {
    spill();
    writer_.flush();
    return {emitted_, written_};
  }

 private:
  static constexpr bool combines = sdk::HasCombine<Task>;
  using Writer = mapreduce::PartitionWriter<sdk::MapSink>;
  template <class K>
  std::string_view bytes_of(const K& key) {
    if constexpr (std::convertible_to<const Key&, std::string_view>) {
      return std::string_view(key);
    } else {
      return sdk::key_bytes<Key>(static_cast<Key>(key), scratch_);
    }
  }

  void append(std::string_view key, const Value& value) {
    const std::uint64_t hash = mapreduce::hash_bytes(key, mapreduce::map_seed);
    const std::uint32_t partition = mapreduce::partition_of(hash, partitions_);
    Bytes& out = writer_.buffer(partition);
    ByteWriter(out).string(key);
    Codec<Value>::encode(out, value);
    ++written_;
    writer_.appended(partition);
  }

  void spill() {
    if constexpr (combines) {
      table_.for_each([&](std::string_view key, const Value& value) { append(key, value); });
      table_.clear();
    }
  }

  typename sdk::TableOf<Task>::type table_;
  Writer writer_{1, {}};
  std::uint32_t partitions_ = 1;
  std::uint64_t emitted_ = 0;
  std::uint64_t written_ = 0;
  Bytes scratch_;
};

}  // namespace muster
