#pragma once

#include <cstdint>
#include <string_view>

namespace muster::fuzz {

/// One input of the fuzzer: the first byte chooses the type, the rest is decoded as one. Aborts on
/// anything but a value that comes back equal, or Error(corrupt).
void try_message(std::string_view input);

}  // namespace muster::fuzz
