#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/cluster/coordinator/journal_mark.hpp>
#include <muster/wire/jobs.hpp>

namespace muster::cluster {

/// What the journal throws. It may have lost all that was not committed: nobody goes on after it,
/// and a coordinator that is started again finds what was true before.
class JournalError : public Error {
 public:
  using Error::Error;
};

/// What a coordinator has to know when it is started again: jobs, and which of their chunks have
/// ended. An SQLite database in WAL mode. What was written lasts from commit() on, and not before:
/// then it is on the disk.
///
/// It says which version of the schema it has; one of another version is refused, not guessed at.
/// So is one that is damaged, or of which something is missing: all is looked at when it is opened.
/// What jobs and chunks say has a checksum, since SQLite has none in its database; and beside it is
/// a JournalMark.
///
/// Not thread-safe. Everything throws JournalError(io, no_space or corrupt) that names the file.
class Journal {
 public:
  /// Made if it is missing, for its owner alone. ":memory:" lasts as long as this. Throws
  /// Error(usage) if another coordinator has it open, or it is of another version, and
  /// Error(corrupt) if anything is missing or not as it was written.
  explicit Journal(const std::filesystem::path& file);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  struct Job {
    std::uint64_t job = 0;
    wire::SubmitJob submission;
    wire::JobState state;
    std::string staging;  ///< the hidden directory of its output
  };
  struct Chunk {
    std::uint32_t stage = 0;
    std::uint32_t chunk = 0;
    std::string attempt;         ///< its name
    std::uint64_t instance = 0;  ///< of the worker that ran it
    std::uint32_t attempts = 0;
    std::string worker;  ///< what that was called
    std::string result;
  };

  /// A number that is higher each time the journal is opened.
  std::uint64_t life() const noexcept { return life_; }
  /// Of a ticket that is known already: that job's number. It gets the next one otherwise.
  std::optional<std::uint64_t> find_ticket(std::uint64_t ticket);
  std::uint64_t add(const Job& job);
  void set_state(const wire::JobState& state);
  void add_chunk(std::uint64_t job, const Chunk& chunk);
  /// What it left is gone: its instance is 0. What it counted stays.
  void lose_chunk(std::uint64_t job, std::uint32_t stage, std::uint32_t chunk);
  void add_line(std::uint64_t job, std::uint64_t number, std::string_view line);
  /// Its state and its log stay; its plan and chunks are not needed any more.
  void end(const wire::JobState& state);
  bool has_changes() const noexcept { return in_transaction_; }
  void commit();

  std::vector<Job> open_jobs();
  std::vector<Chunk> chunks(std::uint64_t job);
  /// The newest `count`, the newest last.
  std::vector<wire::JobState> states(std::size_t count);
  std::optional<wire::JobState> state(std::uint64_t job);
  std::uint64_t line_count(std::uint64_t job);
  std::vector<std::string> lines(std::uint64_t job, std::uint64_t from, std::size_t count);

 private:
  class Statement;
  struct Database;

  void require_there() const;
  void create();
  void open(const std::filesystem::path& file);
  void execute(const char* sql);
  std::uint64_t number_of(const char* sql);
  void require_version();
  void require_undamaged();
  void take_life();
  void put_state(const wire::JobState& state);
  void begin();
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path file_;
  std::unique_ptr<Database> database_;
  std::optional<JournalMark> mark_;  ///< of one that is a file
  bool in_transaction_ = false;
  std::uint64_t commits_ = 0;  ///< in all lives
  std::uint64_t life_ = 0;
};

}  // namespace muster::cluster
