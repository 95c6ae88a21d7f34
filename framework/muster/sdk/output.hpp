#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <muster/codec/text.hpp>
#include <muster/plugin/abi.h>
#include <muster/sdk/task_traits.hpp>

namespace muster {

/// Where a map-only task writes its result lines, in input order. Not thread-safe.
class Output {
 public:
  /// The host must outlive it.
  explicit Output(const muster_map_host& host) : host_(host) {}

  /// Appends one line made of the parts in turn; the newline is added.
  template <class... Parts>
  void line(const Parts&... parts) {
    (append_text(text_, parts), ...);
    text_.push_back('\n');
    ++pending_;
    if (text_.size() >= block_bytes) flush();
  }

  /// Used by the chunk loop.
  void flush() {
    if (pending_ == 0) return;
    if (host_.write_output(host_.context, {text_.data(), text_.size()}, pending_) != 0) {
      throw sdk::HostFailed{};
    }
    written_ += pending_;
    pending_ = 0;
    text_.clear();
  }
  /// Lines passed on so far.
  std::uint64_t written() const noexcept { return written_; }

 private:
  static constexpr std::size_t block_bytes = std::size_t{256} << 10U;

  const muster_map_host& host_;
  std::string text_;
  std::uint64_t pending_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace muster
