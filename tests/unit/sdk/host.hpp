#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <muster/plugin/abi.h>

namespace muster::sdk {

/// What a task reported through the C boundary.
struct Report {
  int made = 0;
  std::uint32_t kind = 999;
  std::string type;
  std::string message;
  std::string hint;

  muster_failure failure() { return {this, &receive}; }

 private:
  static void receive(void* context, std::uint32_t kind_of, muster_bytes type_of,
                      muster_bytes message_of, muster_bytes hint_of) {
    auto& self = *static_cast<Report*>(context);
    ++self.made;
    self.kind = kind_of;
    self.type.assign(type_of.data, type_of.size);
    self.message.assign(message_of.data, message_of.size);
    self.hint.assign(hint_of.data, hint_of.size);
  }
};

/// The host of one map: hands out the given blocks, keeps what is written. Callbacks can be made to
/// fail at a given call, counted from 0.
class MapHost {
 public:
  explicit MapHost(std::vector<std::string> given, std::uint32_t partitions = 3,
                   std::uint64_t memory_bytes = std::uint64_t{64} << 20U)
      : written(partitions), blocks_(std::move(given)) {
    raw_.struct_size = sizeof raw_;
    raw_.partitions = partitions;
    raw_.memory_bytes = memory_bytes;
    raw_.position = &position;
    raw_.context = this;
    raw_.next_block = &next_block;
    raw_.write = [](void* self, std::uint32_t partition, muster_bytes bytes, std::uint64_t count) {
      return static_cast<MapHost*>(self)->take(partition, bytes, count);
    };
    raw_.write_output = [](void* self, muster_bytes text, std::uint64_t count) {
      auto& host = *static_cast<MapHost*>(self);
      if (host.fail_write-- == 0) return -1;
      host.output.append(text.data, text.size);
      host.records += count;
      return 0;
    };
  }
  MapHost(const MapHost&) = delete;
  MapHost& operator=(const MapHost&) = delete;

  const muster_map_host& raw() const { return raw_; }

  volatile std::uint64_t position = 0;
  int fail_next_block = -1;
  int fail_write = -1;
  std::vector<std::vector<std::string>> written;  // blocks by partition
  std::uint64_t records = 0;
  std::string output;
  int writes = 0;

 private:
  static int next_block(void* context, muster_block* out) {
    auto& self = *static_cast<MapHost*>(context);
    if (self.fail_next_block-- == 0) return -1;
    if (self.next_ == self.blocks_.size()) return 0;
    // A copy with room behind it, replaced at the next call: views kept across calls are found out.
    self.block_ = self.blocks_[self.next_++];
    const std::size_t size = self.block_.size();
    self.block_.append(MUSTER_BLOCK_SLACK, '\xee');
    *out = {self.block_.data(), size, {"file", 4}, self.offset_, self.offset_ + 1000, self.line_};
    self.offset_ += size;
    self.line_ += static_cast<std::uint64_t>(std::count(
        self.block_.begin(), self.block_.begin() + static_cast<std::ptrdiff_t>(size), '\n'));
    return 1;
  }
  int take(std::uint32_t partition, muster_bytes bytes, std::uint64_t count) {
    ++writes;
    if (fail_write-- == 0) return -1;
    written.at(partition).emplace_back(bytes.data, bytes.size);
    records += count;
    return 0;
  }

  muster_map_host raw_{};
  std::vector<std::string> blocks_;
  std::string block_;
  std::size_t next_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t line_ = 1;
};

/// The host of one reduce: hands out encoded blocks, keeps the lines.
class ReduceHost {
 public:
  explicit ReduceHost(std::vector<std::string> given,
                      std::uint64_t memory_bytes = std::uint64_t{64} << 20U)
      : blocks_(std::move(given)) {
    raw_.struct_size = sizeof raw_;
    raw_.partition = 5;
    raw_.memory_bytes = memory_bytes;
    raw_.context = this;
    raw_.next_block = [](void* context, muster_bytes* out) {
      auto& self = *static_cast<ReduceHost*>(context);
      if (self.fail_next_block-- == 0) return -1;
      if (self.next_ == self.blocks_.size()) return 0;
      self.block_ = self.blocks_[self.next_++];
      *out = {self.block_.data(), self.block_.size()};
      return 1;
    };
    raw_.write_output = [](void* context, muster_bytes text, const muster_line_extent* extents,
                           std::uint64_t count) {
      auto& self = *static_cast<ReduceHost*>(context);
      if (self.fail_write-- == 0) return -1;
      self.output.append(text.data, text.size);
      std::size_t at = 0;
      for (std::uint64_t i = 0; i < count; ++i) {
        self.keys.emplace_back(text.data + at, extents[i].key_size);
        at += extents[i].line_size;
      }
      self.extents_cover = self.extents_cover && at == text.size;
      return 0;
    };
  }
  ReduceHost(const ReduceHost&) = delete;
  ReduceHost& operator=(const ReduceHost&) = delete;

  const muster_reduce_host& raw() const { return raw_; }

  int fail_next_block = -1;
  int fail_write = -1;
  std::string output;
  std::vector<std::string> keys;
  bool extents_cover = true;

 private:
  muster_reduce_host raw_{};
  std::vector<std::string> blocks_;
  std::string block_;
  std::size_t next_ = 0;
};

}  // namespace muster::sdk
