#pragma once

#include <cstdint>

namespace muster::detail {

/// Code as every process knows it that has the same program or library, wherever that is loaded.
struct CodeAddress {
  std::uint64_t module = 0;  ///< the hash of its build id; 0: none, the address is not of code
  std::uint64_t offset = 0;  ///< from the address that the module was linked for

  friend bool operator==(const CodeAddress&, const CodeAddress&) = default;
};

/// Of module 0 unless there is code of this program or of one of its libraries at the address.
/// Thread-safe, as all of these; takes about as long as a look into a small table.
CodeAddress code_address(const void* code);

/// The other way round. Throws Error(usage) if this process does not have the module, or another
/// build of it: its library may have been loaded after this process was forked, or differ between
/// two machines.
const void* find_code(const CodeAddress& address);

/// The same if there is no code at the address.
void require_code(const void* code);

}  // namespace muster::detail
