#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace muster::test {

// What /proc knows of processes.

std::vector<pid_t> children_of(pid_t parent);
std::vector<pid_t> descendants_of(pid_t ancestor);
std::vector<std::string> descriptors_of(pid_t pid);  ///< what its descriptors are open on
std::size_t count_threads();                         ///< of this process
bool other_threads_sleep();  ///< all of this process but the caller, as seen one by one
std::size_t count_rings();   ///< shared memory of task processes that is mapped here
bool is_gone(pid_t pid);     ///< ended; a zombie that nobody reaps counts as ended
std::chrono::duration<double> cpu_time(pid_t pid);  ///< user and system, of all its threads
std::uint64_t resident_bytes(pid_t pid);            ///< of memory, now; 0 if it has ended
char state_of(pid_t pid);  ///< as in /proc/PID/stat, such as 'T' for stopped; '-' if there is none

}  // namespace muster::test
