#pragma once

#include <memory>

#include <muster/base/file.hpp>

namespace muster::detail {

/// A zygote, as pools see it: where their task processes come from. Thread-safe.
class ZygoteLink {
 public:
  ZygoteLink() = default;
  ZygoteLink(const ZygoteLink&) = delete;
  ZygoteLink& operator=(const ZygoteLink&) = delete;
  virtual ~ZygoteLink() = default;

  /// A new connection, for one pool. Throws Error(broken) if the zygote has died.
  virtual UniqueFd connect() = 0;
  /// Reaps the zygote after its death was noticed, so that no zombie stays.
  virtual void bury() = 0;
};

/// That of this program, which init() made.
std::shared_ptr<ZygoteLink> own_zygote();
/// False also if there is none.
bool own_zygote_lives() noexcept;

/// Asks the zygote at the other end of `control` for a connection.
UniqueFd connect_over(int control);

}  // namespace muster::detail
