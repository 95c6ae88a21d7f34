#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/wire/channel.hpp>

namespace muster::cluster {

/// Frames whose memory is used again when they have been sent. Rationale: fresh memory costs as
/// much as a copy, the kernel clears every page of it. Thread-safe; a frame may outlive the pool.
class FramePool {
 public:
  /// Holds what an earlier one held.
  std::unique_ptr<Bytes> take() {
    const std::lock_guard lock(free_->mutex);
    if (free_->frames.empty()) return std::make_unique<Bytes>();
    auto out = std::move(free_->frames.back());
    free_->frames.pop_back();
    return out;
  }

  /// The frame, as it is sent. It comes back when nobody has it any more.
  wire::SharedFrame share(std::unique_ptr<Bytes> frame) const {
    return {frame.release(), [free = free_](const Bytes* sent) {
              std::unique_ptr<Bytes> back(const_cast<Bytes*>(sent));  // NOLINT: it was not const
              const std::lock_guard lock(free->mutex);
              if (free->frames.size() < kept_max) free->frames.push_back(std::move(back));
            }};
  }

 private:
  static constexpr std::size_t kept_max = 32;

  struct Free {
    Free() { frames.reserve(kept_max); }  // to give one back throws nothing
    std::mutex mutex;
    std::vector<std::unique_ptr<Bytes>> frames;
  };
  std::shared_ptr<Free> free_ = std::make_shared<Free>();
};

}  // namespace muster::cluster
