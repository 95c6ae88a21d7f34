#pragma once

#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>

namespace muster::fuzz {

/// One input of the fuzzer: steps that peers, or somebody else, make towards a coordinator's
/// sessions and a worker's link, with times between them. Aborts if a promise is broken: more
/// sessions than there may be, a frame sent that is none, a message that is not the same when it is
/// written and read again.
void try_wire(std::string_view input);

/// Inputs with one sample of every message in them.
std::vector<Bytes> wire_seeds();

}  // namespace muster::fuzz
