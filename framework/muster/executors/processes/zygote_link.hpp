#pragma once

#include <muster/base/file.hpp>

namespace muster::detail {

/// A new connection to the zygote, for one pool. Throws Error(broken) if the zygote has died.
/// Thread-safe.
UniqueFd connect_to_zygote();

/// Reaps the zygote after its death was noticed, so that no zombie stays. Thread-safe.
void bury_zygote();

}  // namespace muster::detail
