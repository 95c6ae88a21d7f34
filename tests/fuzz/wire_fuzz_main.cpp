#include <cstddef>
#include <cstdint>

#include "wire_fuzz.hpp"

// What libFuzzer calls with one input after the other.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  muster::fuzz::try_wire({reinterpret_cast<const char*>(data), size});
  return 0;
}
