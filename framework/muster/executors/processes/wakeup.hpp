#pragma once

namespace muster::detail {

/// Adds 1 to an eventfd, which cannot fail but by a bug.
void signal_eventfd(int fd);
void drain_eventfd(int fd);

}  // namespace muster::detail
