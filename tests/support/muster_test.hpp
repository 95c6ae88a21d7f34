#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "support/process.hpp"

namespace muster::testing {

/// A directory for one test, removed with all it holds.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// A test of the real program. Commands run in an empty directory of the test's own, with TMPDIR
/// set to another one. Every test checks at its end that no process is left that descends from
/// what it ran, and that nothing is left in TMPDIR.
class MusterTest : public ::testing::Test {
 protected:
  void TearDown() override;

  std::filesystem::path path(const std::string& name) const {
    return scratch_.path() / "work" / name;
  }
  std::filesystem::path work() const { return scratch_.path() / "work"; }
  std::filesystem::path tmp() const { return scratch_.path() / "tmp"; }
  const std::string& mark() const noexcept { return mark_; }

  /// Writes a file below work(), making directories on the way. Returns its name.
  std::string write(const std::string& name, std::string_view text) const;
  static std::string read(const std::filesystem::path& path);

  /// `muster ARGUMENT...`, to be changed before it is run.
  Command command(std::vector<std::string> arguments) const;
  /// `/bin/sh -c SCRIPT`; in it, $MUSTER is the program.
  Command shell(const std::string& script) const;

  Finished muster(std::vector<std::string> arguments) const {
    return run(command(std::move(arguments)));
  }
  /// Standard output of a command that must succeed.
  std::string output_of(const Command& command) const;

  /// The file of a plugin that exists for tests only.
  static std::string plugin(const std::string& name);
  static std::filesystem::path installed_plugin(const std::string& name);

  /// Names in a directory, hidden ones too, sorted.
  static std::vector<std::string> names_in(const std::filesystem::path& directory);

  /// The process runs a map or reduce attempt: it has the attempt's file open.
  static bool runs_attempt(pid_t pid);
  std::vector<pid_t> task_processes() const;

  /// Stops task processes at random, until one is found in the middle of an attempt; kills it.
  /// False if the program ended first.
  bool kill_task_at_work(Running& program, std::uint64_t seed) const;

 private:
  static std::string new_mark();

  ScratchDirectory scratch_;
  std::string mark_ = new_mark();
};

/// The program refused or failed, in the way it should: the exit code, each text on standard
/// error, nothing on standard output.
void expect_error(const Finished& result, int exit_code,
                  std::initializer_list<std::string_view> texts);
void expect_ok(const Finished& result);

}  // namespace muster::testing
