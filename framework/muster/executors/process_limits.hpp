#pragma once

#include <cstdint>

namespace muster {

/// What a task process may use at most, by setrlimit(2); 0: as much as the program itself may. Over
/// a limit a task sees what a program sees: no memory (std::bad_alloc), SIGXCPU, SIGXFSZ, EMFILE.
struct ProcessLimits {
  std::uint64_t address_space_bytes = 0;  ///< of the process, the program's own code included
  std::uint64_t cpu_time_s = 0;           ///< of the process in all, not of one task
  std::uint64_t file_bytes = 0;           ///< of each file it writes
  std::uint64_t open_files = 0;           ///< at least 16, or the process could not do its own work
};

}  // namespace muster
