#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/error.hpp>
#include <muster/plugin/abi.h>
#include <muster/sdk/task_traits.hpp>

namespace muster::sdk {

/// A key's text with what it belongs to, made for sorting: the first 8 bytes are compared as one
/// number, which decides nearly always.
struct SortKey {
  std::uint64_t prefix;
  const char* data;
  std::uint32_t size;
  std::uint32_t index;

  SortKey(std::string_view text, std::uint32_t index_of)
      : prefix(prefix_of(text)),
        data(text.data()),
        size(static_cast<std::uint32_t>(text.size())),
        index(index_of) {}

  std::string_view text() const noexcept { return {data, size}; }

  /// By bytes; equal texts by index, so that the order is total.
  friend bool operator<(const SortKey& a, const SortKey& b) noexcept {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    const int order = a.text().compare(b.text());
    return order != 0 ? order < 0 : a.index < b.index;
  }

 private:
  static std::uint64_t prefix_of(std::string_view text) noexcept {
    unsigned char raw[8] = {};
    std::memcpy(raw, text.data(), std::min<std::size_t>(text.size(), sizeof raw));
    std::uint64_t prefix = 0;
    for (const unsigned char byte : raw) prefix = (prefix << 8U) | byte;
    return prefix;
  }
};

/// Collects result lines and passes them on in blocks, with the extent of each.
class LineBlocks {
 public:
  explicit LineBlocks(const muster_reduce_host& host) : host_(host) {}

  /// The buffer to append one line to, newline included; follow with `appended`.
  std::string& buffer() noexcept { return text_; }

  void appended(std::size_t line_start, std::size_t key_size) {
    if (text_.size() - line_start > UINT32_MAX) {
      throw Error(ErrorCode::limit, "a line of output is longer than 4 GiB");
    }
    lines_.push_back({static_cast<std::uint32_t>(key_size),
                      static_cast<std::uint32_t>(text_.size() - line_start)});
    if (text_.size() >= block_bytes) flush();
  }

  void flush() {
    if (lines_.empty()) return;
    const muster_bytes text{text_.data(), text_.size()};
    if (host_.write_output(host_.context, text, lines_.data(), lines_.size()) != 0) {
      throw HostFailed{};
    }
    written_ += lines_.size();
    text_.clear();
    lines_.clear();
  }

  std::uint64_t written() const noexcept { return written_; }

 private:
  static constexpr std::size_t block_bytes = std::size_t{256} << 10U;

  const muster_reduce_host& host_;
  std::string text_;
  std::vector<muster_line_extent> lines_;
  std::uint64_t written_ = 0;
};

}  // namespace muster::sdk
