#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <muster/sdk/registry.hpp>

namespace muster::testing {

/// Settings for a test; those not named are not declared, unlike in a real run.
using Settings = std::vector<std::pair<std::string, std::string>>;

namespace detail {

inline Parameters parameters(const Settings& settings) {
  std::map<std::string, std::string, std::less<>> values(settings.begin(), settings.end());
  return Parameters(std::move(values));
}

// A host in memory. It hands the text out line by line and byte-exact in small blocks, so that a
// task which keeps views of a block across calls is found out.
class FakeHost {
 public:
  explicit FakeHost(std::string_view text, std::size_t block_bytes)
      : rest_(text), block_bytes_(block_bytes), partitions_(3) {}

  muster_map_host map_host() {
    muster_map_host host{};
    host.struct_size = sizeof host;
    host.partitions = static_cast<std::uint32_t>(partitions_.size());
    host.memory_bytes = std::uint64_t{64} << 20U;
    host.position = &position_;
    host.context = this;
    host.next_block = &next_block;
    host.write = [](void* self, std::uint32_t partition, muster_bytes bytes, std::uint64_t) {
      static_cast<FakeHost*>(self)->partitions_.at(partition).append(bytes.data, bytes.size);
      return 0;
    };
    host.write_output = [](void* self, muster_bytes text, std::uint64_t) {
      static_cast<FakeHost*>(self)->output.append(text.data, text.size);
      return 0;
    };
    return host;
  }

  template <class Reduce>
  void reduce_all(Reduce&& reduce) {
    for (std::uint32_t i = 0; i < partitions_.size(); ++i) {
      at_ = i;
      given_ = false;
      muster_reduce_host host{};
      host.struct_size = sizeof host;
      host.partition = i;
      host.memory_bytes = std::uint64_t{64} << 20U;
      host.context = this;
      host.next_block = [](void* context, muster_bytes* block) {
        auto& self = *static_cast<FakeHost*>(context);
        if (std::exchange(self.given_, true)) return 0;
        *block = {self.partitions_[self.at_].data(), self.partitions_[self.at_].size()};
        return 1;
      };
      host.write_output = [](void* context, muster_bytes text, const muster_line_extent* lines,
                             std::uint64_t count) {
        auto& self = *static_cast<FakeHost*>(context);
        const char* at = text.data;
        for (std::uint64_t n = 0; n < count; at += lines[n++].line_size) {
          std::string key(at, lines[n].key_size);
          std::string value(at + key.size() + 1, lines[n].line_size - key.size() - 2);
          const auto [there, is_new] = self.results.emplace(std::move(key), std::move(value));
          if (!is_new) self.twice_ = there->first;
        }
        return 0;
      };
      reduce(host);
    }
    if (twice_) {
      throw Error(ErrorCode::task, "the task gave two results for the key '" + *twice_ + "'");
    }
  }

  std::map<std::string, std::string> results;
  std::string output;

 private:
  static int next_block(void* context, muster_block* out) {
    auto& self = *static_cast<FakeHost*>(context);
    if (self.rest_.empty()) return 0;
    const auto newline = self.rest_.find('\n', std::min(self.block_bytes_, self.rest_.size()) - 1);
    const std::size_t size = newline == std::string_view::npos ? self.rest_.size() : newline + 1;
    self.block_.assign(self.rest_.substr(0, size));
    self.block_.append(MUSTER_BLOCK_SLACK, '\0');
    *out = {self.block_.data(), size, {"input", 5}, self.offset_, self.offset_, self.line_};
    for (const char c : self.rest_.substr(0, size)) self.line_ += c == '\n' ? 1U : 0U;
    self.rest_.remove_prefix(size);
    self.offset_ += size;
    return 1;
  }

  std::string_view rest_;
  std::size_t block_bytes_;
  std::string block_;
  std::uint64_t offset_ = 0;
  std::uint64_t line_ = 1;
  volatile std::uint64_t position_ = 0;
  std::vector<std::string> partitions_;
  std::size_t at_ = 0;
  bool given_ = false;
  std::optional<std::string> twice_;  // a key that had two results
};

inline constexpr std::size_t small_block = 64;

}  // namespace detail

/// Runs a map-reduce task over a text, in this process, through the same loops as a real run.
/// Returns the results by key, as they would be printed. What the task throws goes through; two
/// results for one key throw Error(task).
template <class Task>
std::map<std::string, std::string> run_map_reduce(std::string_view text,
                                                  const Settings& settings = {}) {
  sdk::MapReduceInstance<Task> instance(detail::parameters(settings));
  detail::FakeHost host(text, detail::small_block);
  static_cast<void>(instance.map(host.map_host()));
  host.reduce_all([&](const muster_reduce_host& each) { instance.reduce(each); });
  return host.results;
}

/// Runs a map-only task over a text named "input". Returns its output.
template <class Task>
std::string run_map(std::string_view text, const Settings& settings = {}) {
  sdk::MapInstance<Task> instance(detail::parameters(settings));
  detail::FakeHost host(text, detail::small_block);
  static_cast<void>(instance.map(host.map_host()));
  return host.output;
}

}  // namespace muster::testing
