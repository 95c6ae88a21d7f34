#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/checksum.hpp>
#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cluster/coordinator/journal.hpp>
#include <muster/codec/message.hpp>

namespace muster::cluster {
namespace {

/// What a row is of is part of its checksum, so that it counts nowhere else.
std::uint64_t sum_of(std::string_view bytes, std::string_view of) {
  Checksum out;
  out.add(of);
  out.add(bytes);
  return out.value();
}

template <class M>
Bytes encode_body(const M& message, std::string_view of) {
  Bytes out;
  detail::encode_message(out, message);
  const std::uint64_t sum = sum_of(out, of);
  ByteWriter(out).fixed(sum);
  return out;
}

[[noreturn]] void refuse_row(std::string_view of) {
  throw Error(ErrorCode::corrupt, fmt::format("{} is not as it was written", of));
}

template <class M>
M decode_body(std::string_view bytes, std::string_view of) {
  if (bytes.size() < sizeof(std::uint64_t)) refuse_row(of);
  const std::string_view body = bytes.substr(0, bytes.size() - sizeof(std::uint64_t));
  if (ByteReader(bytes.substr(body.size())).fixed<std::uint64_t>() != sum_of(body, of))
    refuse_row(of);
  ByteReader in(body, "a journal's row");
  M out = detail::decode_message<M>(in);
  in.finish();
  return out;
}

std::string state_of(std::uint64_t job) { return fmt::format("the state of job {}", job); }
std::string plan_of(std::string_view staging) {
  return fmt::format("the plan of a job with its output at '{}'", staging);
}

/// But for the worker that has what it left: nothing is lost if that is not found.
std::uint64_t sum_of(std::uint64_t job, const Journal::Chunk& chunk) {
  return sum_of(chunk.result, fmt::format("{} {} {} {} {} {}", job, chunk.stage, chunk.chunk,
                                          chunk.attempt, chunk.attempts, chunk.worker));
}

// To be raised with each change of the tables, or of what is encoded in them.
constexpr std::uint64_t schema_version = 2;

// AUTOINCREMENT: so it is known how many jobs there have been.
constexpr const char* schema = R"(
  CREATE TABLE lives(life INTEGER PRIMARY KEY, commits INTEGER NOT NULL);
  CREATE TABLE jobs(job INTEGER PRIMARY KEY AUTOINCREMENT, ticket INTEGER UNIQUE,
    submission BLOB, state BLOB NOT NULL, staging TEXT NOT NULL);
  CREATE TABLE chunks(job INTEGER, stage INTEGER, chunk INTEGER, attempt TEXT,
    instance INTEGER, attempts INTEGER, worker TEXT, result BLOB, sum INTEGER,
    PRIMARY KEY(job, stage, chunk)) WITHOUT ROWID;
  CREATE TABLE lines(job INTEGER, number INTEGER, line TEXT,
    PRIMARY KEY(job, number)) WITHOUT ROWID;
)";

constexpr const char* in_memory = ":memory:";

constexpr const char* unusable_hint =
    "the coordinator must be able to read and write it, its -wal, its -mark and their directory";
constexpr const char* damaged_hint =
    "put back a copy of it, and move its -wal and -mark away; or move all three away to start "
    "without the jobs that are in them";

}  // namespace

struct Journal::Database {
  ~Database() { sqlite3_close(handle); }
  sqlite3* handle = nullptr;
};

/// One statement, prepared, with its values.
class Journal::Statement {
 public:
  Statement(Journal& journal, const char* sql) : journal_(journal) {
    if (sqlite3_prepare_v2(journal.database_->handle, sql, -1, &statement_, nullptr) != SQLITE_OK)
      journal.fail("cannot be used");
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& with(std::uint64_t value) {
    check(sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(value)));
    return *this;
  }
  Statement& with(std::string_view bytes) {
    check(sqlite3_bind_blob64(statement_, ++bound_, bytes.data(), bytes.size(), SQLITE_TRANSIENT));
    return *this;
  }
  /// To the next row; false behind the last.
  bool step() {
    const int result = sqlite3_step(statement_);
    if (result != SQLITE_ROW && result != SQLITE_DONE) journal_.fail("cannot be written or read");
    return result == SQLITE_ROW;
  }
  std::uint64_t number(int column) {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
  }
  std::string bytes(int column) {
    const void* const data = sqlite3_column_blob(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return size == 0 ? std::string() : std::string(static_cast<const char*>(data), size);
  }

 private:
  void check(int result) {
    if (result != SQLITE_OK) journal_.fail("cannot be used");
  }

  Journal& journal_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

Journal::Journal(const std::filesystem::path& file) : file_(file) {
  const bool is_file = file != in_memory;
  if (is_file) {
    require_there();
    if (!std::filesystem::exists(file)) create();
  }
  open(file);
  if (!is_file) {
    execute(schema);
  } else {
    // One coordinator at a time; a second one is told so at once.
    execute("PRAGMA locking_mode=EXCLUSIVE");
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=FULL");
    require_version();
    mark_.emplace(file.native() + "-mark");
    require_undamaged();
  }
  take_life();
}

/// SQLite takes an empty file for a new database, and removes the WAL of one that is gone.
void Journal::require_there() const {
  const auto refuse = [&](const char* trouble) {
    throw Error(ErrorCode::corrupt,
                fmt::format("the journal '{}' is damaged: {}", file_.string(), trouble),
                damaged_hint);
  };
  const std::filesystem::file_status status = std::filesystem::status(file_);
  if (status.type() == std::filesystem::file_type::not_found) {
    for (const char* each : {"-wal", "-mark"}) {
      if (std::filesystem::exists(file_.native() + each)) refuse("it is missing");
    }
    return;
  }
  if (status.type() != std::filesystem::file_type::regular) {
    throw Error(ErrorCode::io, fmt::format("the journal '{}' is not a file", file_.string()),
                "move it away, or give another --state");
  }
  if (std::filesystem::file_size(file_) == 0) refuse("it is empty");
  if (::access(file_.c_str(), R_OK | W_OK) != 0) {
    throw Error(ErrorCode::io,
                fmt::format("the journal '{}' cannot be used: {}", file_.string(),
                            std::generic_category().message(errno)),
                unusable_hint);
  }
}

/// As a whole, or not at all: so an empty one has been damaged.
void Journal::create() {
  const TempDir beside(file_.parent_path().empty() ? "." : file_.parent_path());
  const std::filesystem::path made = beside.path() / file_.filename();
  open(made);
  execute("PRAGMA synchronous=FULL");
  execute("BEGIN");
  execute(schema);
  execute(fmt::format("PRAGMA user_version = {}", schema_version).c_str());
  execute("COMMIT");
  database_.reset();
  std::error_code failed;  // another coordinator may just have been quicker
  std::filesystem::create_hard_link(made, file_, failed);
  if (failed && failed != std::errc::file_exists)
    throw system_error(failed.value(), "cannot make the journal '" + file_.string() + "'");
  sync_directory(made.parent_path().parent_path());
}

void Journal::open(const std::filesystem::path& file) {
  database_ = std::make_unique<Database>();
  const mode_t before = ::umask(077);
  const int opened = sqlite3_open_v2(file.c_str(), &database_->handle,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  ::umask(before);
  if (opened != SQLITE_OK) fail("cannot be opened");
  // One that is refused stays as it is.
  sqlite3_db_config(database_->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

std::uint64_t Journal::number_of(const char* sql) {
  Statement row(*this, sql);
  return row.step() ? row.number(0) : 0;
}

void Journal::require_version() {
  const std::uint64_t version = number_of("PRAGMA user_version");
  if (version == schema_version) return;
  throw Error(ErrorCode::usage,
              fmt::format("the journal '{}' is of version {}, and this coordinator reads {}",
                          file_.string(), version, schema_version),
              "start the version of Muster that has written it; or move it away to start without "
              "the jobs that are in it");
}

/// All that a job could get lost by.
void Journal::require_undamaged() {
  try {
    Statement check(*this, "PRAGMA quick_check(1)");
    if (const std::string found = check.step() ? check.bytes(0) : ""; found != "ok")
      throw Error(ErrorCode::corrupt, found);
    commits_ = number_of("SELECT MAX(commits) FROM lives");
    if (commits_ < mark_->read()) {
      throw Error(ErrorCode::corrupt,
                  fmt::format("what was written last is missing: {} of {} commits are there",
                              commits_, mark_->read()));
    }
    if (number_of("SELECT COUNT(*) FROM jobs") !=
        number_of("SELECT MAX(seq) FROM sqlite_sequence WHERE name = 'jobs'"))
      throw Error(ErrorCode::corrupt, "jobs are missing in it");
    const std::vector<Job> open = open_jobs();
    std::size_t unended = 0;
    for (Statement rows(*this, "SELECT job, state FROM jobs"); rows.step();) {
      const std::string of = state_of(rows.number(0));
      if (!decode_body<wire::JobState>(rows.bytes(1), of).has_ended()) ++unended;
    }
    for (const Job& each : open) {
      if (each.state.has_ended() || find_ticket(each.submission.ticket) != each.job)
        refuse_row(state_of(each.job));
      static_cast<void>(chunks(each.job));
    }
    if (unended != open.size()) throw Error(ErrorCode::corrupt, "the plan of a job is missing");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt || !error.hint().empty()) throw;
    throw Error(ErrorCode::corrupt,
                fmt::format("the journal '{}' is damaged: {}", file_.string(), error.what()),
                damaged_hint);
  }
}

void Journal::take_life() {
  begin();
  Statement(*this, "INSERT INTO lives(commits) VALUES(?)").with(commits_).step();
  life_ = static_cast<std::uint64_t>(sqlite3_last_insert_rowid(database_->handle));
  Statement(*this, "DELETE FROM lives WHERE life < ?").with(life_).step();
  commit();
}

Journal::~Journal() {
  // For one that was undamaged when it was opened.
  if (in_transaction_) sqlite3_exec(database_->handle, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_db_config(database_->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
}

void Journal::fail(const char* what) const {
  const int code = sqlite3_extended_errcode(database_->handle);
  const std::string message =
      fmt::format("the journal '{}' {}: {}", file_.string(), what,
                  database_->handle == nullptr ? "no memory" : sqlite3_errmsg(database_->handle));
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw JournalError(ErrorCode::usage,
                         fmt::format("the journal '{}' is in use", file_.string()),
                         "does another coordinator run with this --state?");
    case SQLITE_FULL:
      throw JournalError(ErrorCode::no_space, message, "make room on its file system");
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      throw JournalError(ErrorCode::io, message, unusable_hint);
    default:  // also of tables that are not there
      throw JournalError(ErrorCode::corrupt, message, damaged_hint);
  }
}

void Journal::execute(const char* sql) {
  if (sqlite3_exec(database_->handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    fail("cannot be written");
}

void Journal::begin() {
  if (in_transaction_) return;
  execute("BEGIN");
  in_transaction_ = true;
}

void Journal::commit() {
  if (!in_transaction_) return;
  Statement(*this, "UPDATE lives SET commits = ?").with(commits_ + 1).step();
  execute("COMMIT");
  in_transaction_ = false;
  ++commits_;
  if (mark_) mark_->write(commits_);
}

std::optional<std::uint64_t> Journal::find_ticket(std::uint64_t ticket) {
  Statement found(*this, "SELECT job FROM jobs WHERE ticket = ?");
  return found.with(ticket).step() ? std::optional(found.number(0)) : std::nullopt;
}

std::uint64_t Journal::add(const Job& job) {
  begin();
  Statement(*this, "INSERT INTO jobs(ticket, submission, state, staging) VALUES(?, ?, ?, ?)")
      .with(job.submission.ticket)
      .with(encode_body(job.submission, plan_of(job.staging)))
      .with(std::string_view("\0", 1))
      .with(job.staging)
      .step();
  wire::JobState state = job.state;
  state.job = static_cast<std::uint64_t>(sqlite3_last_insert_rowid(database_->handle));
  put_state(state);
  return state.job;
}

void Journal::set_state(const wire::JobState& state) {
  begin();
  put_state(state);
}

void Journal::put_state(const wire::JobState& state) {
  Statement(*this, "UPDATE jobs SET state = ? WHERE job = ?")
      .with(encode_body(state, state_of(state.job)))
      .with(state.job)
      .step();
}

void Journal::add_chunk(std::uint64_t job, const Chunk& chunk) {
  begin();
  Statement(*this, "INSERT OR REPLACE INTO chunks VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .with(job)
      .with(std::uint64_t{chunk.stage})
      .with(std::uint64_t{chunk.chunk})
      .with(chunk.attempt)
      .with(chunk.instance)
      .with(std::uint64_t{chunk.attempts})
      .with(chunk.worker)
      .with(chunk.result)
      .with(sum_of(job, chunk))
      .step();
}

void Journal::lose_chunk(std::uint64_t job, std::uint32_t stage, std::uint32_t chunk) {
  begin();
  Statement(*this, "UPDATE chunks SET instance = 0 WHERE job = ? AND stage = ? AND chunk = ?")
      .with(job)
      .with(std::uint64_t{stage})
      .with(std::uint64_t{chunk})
      .step();
}

void Journal::add_line(std::uint64_t job, std::uint64_t number, std::string_view line) {
  begin();
  Statement(*this, "INSERT OR REPLACE INTO lines VALUES(?, ?, ?)")
      .with(job)
      .with(number)
      .with(line)
      .step();
}

void Journal::end(const wire::JobState& state) {
  set_state(state);
  Statement(*this, "UPDATE jobs SET submission = NULL WHERE job = ?").with(state.job).step();
  Statement(*this, "DELETE FROM chunks WHERE job = ?").with(state.job).step();
}

std::vector<Journal::Job> Journal::open_jobs() {
  std::vector<Job> out;
  Statement rows(*this,
                 "SELECT job, submission, state, staging FROM jobs "
                 "WHERE submission IS NOT NULL ORDER BY job");
  while (rows.step()) {
    Job& job = out.emplace_back();
    job.job = rows.number(0);
    job.staging = rows.bytes(3);
    job.submission = decode_body<wire::SubmitJob>(rows.bytes(1), plan_of(job.staging));
    job.state = decode_body<wire::JobState>(rows.bytes(2), state_of(job.job));
  }
  return out;
}

std::vector<Journal::Chunk> Journal::chunks(std::uint64_t job) {
  std::vector<Chunk> out;
  Statement rows(
      *this,
      "SELECT stage, chunk, attempt, instance, attempts, worker, result, sum FROM chunks "
      "WHERE job = ? ORDER BY stage, chunk");
  rows.with(job);
  while (rows.step()) {
    out.push_back({static_cast<std::uint32_t>(rows.number(0)),
                   static_cast<std::uint32_t>(rows.number(1)), rows.bytes(2), rows.number(3),
                   static_cast<std::uint32_t>(rows.number(4)), rows.bytes(5), rows.bytes(6)});
    if (rows.number(7) != sum_of(job, out.back()))
      refuse_row(fmt::format("a chunk of job {}", job));
  }
  return out;
}

std::vector<wire::JobState> Journal::states(std::size_t count) {
  std::vector<wire::JobState> out;
  Statement rows(*this, "SELECT job, state FROM jobs ORDER BY job DESC LIMIT ?");
  rows.with(std::uint64_t{count});
  while (rows.step()) {
    out.push_back(decode_body<wire::JobState>(rows.bytes(1), state_of(rows.number(0))));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::optional<wire::JobState> Journal::state(std::uint64_t job) {
  Statement row(*this, "SELECT state FROM jobs WHERE job = ?");
  if (!row.with(job).step()) return std::nullopt;
  return decode_body<wire::JobState>(row.bytes(0), state_of(job));
}

std::uint64_t Journal::line_count(std::uint64_t job) {
  Statement row(*this, "SELECT COUNT(*) FROM lines WHERE job = ?");
  return row.with(job).step() ? row.number(0) : 0;
}

std::vector<std::string> Journal::lines(std::uint64_t job, std::uint64_t from, std::size_t count) {
  std::vector<std::string> out;
  Statement rows(*this,
                 "SELECT line FROM lines WHERE job = ? AND number >= ? ORDER BY number LIMIT ?");
  rows.with(job).with(from).with(std::uint64_t{count});
  while (rows.step()) out.push_back(rows.bytes(0));
  return out;
}

}  // namespace muster::cluster
