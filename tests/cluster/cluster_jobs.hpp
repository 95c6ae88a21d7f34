#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cluster_of_programs.hpp"

namespace muster::testing {

/// Jobs on a cluster of real programs, which is broken meanwhile. Each test counts its faults.
class ClusterJobs : public ClusterOfPrograms {
 protected:
  void write(const std::string& name, const std::string& text);
  static std::string read(const std::filesystem::path& file);

  /// Lines of which each takes a while; as many chunks as there are tens of them.
  void write_slow_lines(int count);
  /// The job that counts them.
  std::vector<std::string> slow(const std::vector<std::string>& more) const;
  /// The same for `muster run`.
  std::vector<std::string> run_slow(const std::vector<std::string>& more) const;

  /// `muster ...` with the address of the coordinator, and what clients of this cluster need.
  std::vector<std::string> for_cluster(std::vector<std::string> arguments) const;
  Finished on_cluster(std::vector<std::string> arguments) const {
    return muster(for_cluster(std::move(arguments)));
  }
  /// Hands a job over; its number.
  std::string submit(const std::vector<std::string>& task) const;
  std::string status(const std::string& job) const { return on_cluster({"status", job}).out; }
  std::string log(const std::string& job) const { return on_cluster({"logs", job}).out; }
  /// So many map chunks are done, as the coordinator says.
  bool has_done(const std::string& job, int chunks) const;
  /// Follows it to its end.
  void expect_success(const std::string& job) const;
  /// The lines of an output directory, sorted.
  std::string result(const std::string& directory) const;
  /// The same files with the same bytes; so many.
  void expect_same_files(const std::string& a, const std::string& b, int count) const;
  static int count(const std::string& text, const std::string& what);

  std::string expected;                ///< of slow lines
  std::vector<std::string> as_client;  ///< options of whoever asks the coordinator
  int faults = 0;

 private:
  int chunks_done(const std::string& job, const std::string& stage) const;
};

}  // namespace muster::testing
