#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace muster::mapreduce {

/// One regular file of input, with the size it had when the job was planned: a job reads that much
/// of it, however the file grows.
struct InputFile {
  std::filesystem::path path;
  std::string name;  ///< as the user named it; "-" for standard input
  std::uint64_t size = 0;
};

/// Turns what a user named into files, in the order named:
/// - a directory stands for all regular files below it, sorted by path bytes; symbolic links met
///   on the way are not followed, as with `grep -r`, so that nothing is read twice; what lies below
///   `output`, the job's own, or in the hidden directory of an output being written is left out;
/// - a pattern with * ? or [ that is no file's name stands for the files it matches, sorted;
///   A name found in this way means that file, even if it is "-" or looks like a pattern itself;
/// - "-" is standard input; it, pipes, character devices and files of /proc and /sys (whose size
///   says nothing) are copied to `spool_directory()` first, because a chunk may have to be read
///   again. That function is called when needed only; a directory met later that holds the copies
///   does not stand for them as well.
/// Throws Error(usage) for a missing input (with the closest name there is), a pattern without a
/// match, or a file that cannot be opened; Error(io or no_space) if copying fails. It calls
/// `check_stop`, which may throw, for every file it meets and several times a second while it waits
/// for a pipe.
std::vector<InputFile> expand_inputs(
    const std::vector<std::string>& named,
    const std::function<const std::filesystem::path&()>& spool_directory,
    const std::function<void()>& check_stop = [] {}, const std::filesystem::path& output = {});

}  // namespace muster::mapreduce
