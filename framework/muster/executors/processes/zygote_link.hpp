#pragma once

#include <muster/base/file.hpp>

namespace muster::detail {

/// A pool's connection to the zygote, which serves for as long as there is one: at the program's
/// end, too, where a pool with static storage may still have work.
class ZygoteConnection {
 public:
  ZygoteConnection();  ///< throws Error(broken) if the zygote has died; thread-safe
  ZygoteConnection(const ZygoteConnection&) = delete;
  ZygoteConnection& operator=(const ZygoteConnection&) = delete;
  ~ZygoteConnection();

  int get() const noexcept { return socket_.get(); }

 private:
  UniqueFd socket_;
};

/// Reaps the zygote after its death was noticed, so that no zombie stays. Thread-safe.
void bury_zygote();

}  // namespace muster::detail
