#pragma once

#include <cstddef>

namespace muster::detail {

/// Memory for shared states and the tasks in them. Thread-safe.
///
/// A task is made by one thread and ended by another, which is the worst case of a general
/// allocator: the memory goes home under a lock. Here a thread keeps what it released, and threads
/// hand over whole magazines of blocks to each other (Bonwick and Adams, "Magazines and Vmem",
/// USENIX 2001), so that the lock is taken once every few dozen tasks.
///
/// What was in use at the worst moment is kept for later tasks and not given back to the system.
/// Blocks of more than state_block_bytes_max come from operator new. So does everything under a
/// sanitizer, which could not tell a block that is used after its end otherwise.
///
/// allocate_state throws std::bad_alloc.
void* allocate_state(std::size_t size);
void release_state(void* memory, std::size_t size) noexcept;

inline constexpr std::size_t state_block_bytes_max = 512;

}  // namespace muster::detail
