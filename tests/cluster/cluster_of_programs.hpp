#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>

#include "support/process.hpp"
#include "support/shared_memory.hpp"

namespace muster::testing {

/// A test of the real programs on this machine: a coordinator and workers, which may be killed. At
/// its end nothing that it has started lives.
class ClusterOfPrograms : public ::testing::Test {
 protected:
  using Options = std::vector<std::string>;

  void SetUp() override {
    test::reset_shared();
    std::filesystem::create_directory(path("tmp"));
  }
  void TearDown() override;

  /// At a port that it chooses the first time, and at the same one later.
  Running& start_coordinator(const Options& options = {});
  /// Where the next coordinators listen.
  void bind_at(std::string address) { address_ = std::move(address); }
  /// Of the next coordinators, which may end before they listen.
  void break_coordinator(std::vector<std::string> environment) {
    coordinator_environment_ = std::move(environment);
  }
  /// The next coordinators may have no more files open than this.
  void limit_open_files(unsigned files) { open_files_max_ = files; }
  /// The next workers, and all that they start, may have no more memory each than this.
  void limit_address_space(unsigned kib) { address_space_max_ = kib; }
  /// The next coordinator chooses another port.
  void forget_address() { address_.clear(); }
  Running& start_worker(const std::string& name, const Options& options = {});
  Running& coordinator() { return *coordinator_; }
  const std::string& address() const { return address_; }

  /// The whole line of a program's log that has this text; empty if none comes.
  static std::string await_line(Running& program, const std::string& text);
  /// Waits for its end: so its address is free for the next one.
  void kill(std::unique_ptr<Running>& program, int signal);
  std::vector<std::unique_ptr<Running>>& workers() { return workers_; }
  std::unique_ptr<Running>& coordinator_slot() { return coordinator_; }

  /// Keys as on three machines, which are directories: "head", of the coordinator; "node", of the
  /// worker node1; "desk", of the client alice.
  void make_keys() const;

  Finished muster(std::vector<std::string> arguments) const;
  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }
  Command command(const std::string& program, Options options) const;

 private:
  TempDir directory_{default_temp_parent()};
  std::string address_;
  std::vector<std::string> coordinator_environment_;
  std::optional<unsigned> open_files_max_;
  std::optional<unsigned> address_space_max_;
  std::unique_ptr<Running> coordinator_;
  std::vector<std::unique_ptr<Running>> workers_;
  std::vector<std::unique_ptr<Running>> dead_;
};

}  // namespace muster::testing
