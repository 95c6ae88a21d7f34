#pragma once

#include <string>

#include <muster/wire/registration.hpp>

namespace muster::cluster {

/// What every program says of itself: host, process, version, and a number that no other process
/// has chosen.
wire::Hello hello_of_this_process();

/// The address of this machine on the way to a coordinator at "tcp://HOST:PORT": others that reach
/// the coordinator mostly reach it, too. "127.0.0.1" if that cannot be found out.
std::string own_address_towards(const std::string& coordinator);

}  // namespace muster::cluster
