#pragma once

#include <muster/wire/registration.hpp>

namespace muster::cluster {

/// What every program says of itself: host, process, version, and a number that no other process
/// has chosen.
wire::Hello hello_of_this_process();

}  // namespace muster::cluster
