#pragma once

namespace muster {

/// From now on, freed blocks of up to 32 MiB are kept for the next ones, up to 64 MiB in all for
/// each thread, rather than given back. For programs that move blocks of a MiB all the time: fresh
/// pages cost as much as two copies (docs/benchmarks.md, "Cluster"). Without effect if it cannot be
/// had, or where MALLOC_TRIM_THRESHOLD_ or MALLOC_MMAP_THRESHOLD_ of the environment say something.
void keep_freed_memory() noexcept;

}  // namespace muster
