#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <muster/base/error.hpp>
#include <muster/cluster/coordinator/journal.hpp>
#include <muster/codec/message.hpp>

namespace muster::cluster {
namespace {

template <class M>
Bytes encode_body(const M& message) {
  Bytes out;
  detail::encode_message(out, message);
  return out;
}

template <class M>
M decode_body(std::string_view bytes) {
  ByteReader in(bytes, "a journal's row");
  M out = detail::decode_message<M>(in);
  in.finish();
  return out;
}

// To be raised with each change of the tables, or of what is encoded in them.
constexpr std::uint64_t schema_version = 1;

constexpr const char* schema = R"(
  CREATE TABLE lives(life INTEGER PRIMARY KEY);
  CREATE TABLE jobs(job INTEGER PRIMARY KEY AUTOINCREMENT, ticket INTEGER UNIQUE,
    submission BLOB, state BLOB NOT NULL, staging TEXT NOT NULL);
  CREATE TABLE chunks(job INTEGER, stage INTEGER, chunk INTEGER, attempt TEXT,
    instance INTEGER, attempts INTEGER, worker TEXT, result BLOB,
    PRIMARY KEY(job, stage, chunk)) WITHOUT ROWID;
  CREATE TABLE lines(job INTEGER, number INTEGER, line TEXT,
    PRIMARY KEY(job, number)) WITHOUT ROWID;
)";

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

Journal::Journal(const std::filesystem::path& file)
    : file_(file), database_(std::make_unique<Database>()) {
  const mode_t before = ::umask(077);
  const int opened = sqlite3_open_v2(file.c_str(), &database_->handle,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  ::umask(before);
  if (opened != SQLITE_OK) fail("cannot be opened");
  // One coordinator at a time; a second one is told so at once.
  execute("PRAGMA locking_mode=EXCLUSIVE");
  execute("PRAGMA journal_mode=WAL");
  execute("PRAGMA synchronous=FULL");
  make_schema();
  execute("INSERT INTO lives DEFAULT VALUES");
  life_ = static_cast<std::uint64_t>(sqlite3_last_insert_rowid(database_->handle));
  execute("DELETE FROM lives WHERE life < (SELECT MAX(life) FROM lives)");
}

/// The version is written with the tables, or not at all.
void Journal::make_schema() {
  std::uint64_t version = 0;
  bool is_new = false;
  {
    Statement row(*this, "PRAGMA user_version");
    if (row.step()) version = row.number(0);
    Statement tables(*this, "SELECT COUNT(*) FROM sqlite_master");
    is_new = tables.step() && tables.number(0) == 0;
  }
  if (is_new) {
    execute("BEGIN");
    execute(schema);
    execute(fmt::format("PRAGMA user_version = {}", schema_version).c_str());
    execute("COMMIT");
  } else if (version != schema_version) {
    throw Error(ErrorCode::usage,
                fmt::format("the journal '{}' is of version {}, and this coordinator reads {}",
                            file_.string(), version, schema_version),
                "start the version of Muster that has written it; or move it away to start without "
                "the jobs that are in it");
  }
}

Journal::~Journal() = default;

void Journal::fail(const char* what) const {
  const int code = sqlite3_extended_errcode(database_->handle);
  const std::string message =
      fmt::format("the journal '{}' {}: {}", file_.string(), what,
                  database_->handle == nullptr ? "no memory" : sqlite3_errmsg(database_->handle));
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ErrorCode::usage, fmt::format("the journal '{}' is in use", file_.string()),
                  "does another coordinator run with this --state?");
    case SQLITE_FULL:
      throw Error(ErrorCode::no_space, message, "make room on its file system");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw Error(ErrorCode::corrupt, message,
                  "move it away to start without the jobs that are in it");
    default:
      throw Error(ErrorCode::io, message);
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
  execute("COMMIT");
  in_transaction_ = false;
}

std::optional<std::uint64_t> Journal::find_ticket(std::uint64_t ticket) {
  Statement found(*this, "SELECT job FROM jobs WHERE ticket = ?");
  return found.with(ticket).step() ? std::optional(found.number(0)) : std::nullopt;
}

std::uint64_t Journal::add(const Job& job) {
  begin();
  Statement(*this, "INSERT INTO jobs(ticket, submission, state, staging) VALUES(?, ?, ?, ?)")
      .with(job.submission.ticket)
      .with(encode_body(job.submission))
      .with(encode_body(job.state))
      .with(job.staging)
      .step();
  return static_cast<std::uint64_t>(sqlite3_last_insert_rowid(database_->handle));
}

void Journal::set_state(const wire::JobState& state) {
  begin();
  Statement(*this, "UPDATE jobs SET state = ? WHERE job = ?")
      .with(encode_body(state))
      .with(state.job)
      .step();
}

void Journal::add_chunk(std::uint64_t job, const Chunk& chunk) {
  begin();
  Statement(*this, "INSERT OR REPLACE INTO chunks VALUES(?, ?, ?, ?, ?, ?, ?, ?)")
      .with(job)
      .with(std::uint64_t{chunk.stage})
      .with(std::uint64_t{chunk.chunk})
      .with(chunk.attempt)
      .with(chunk.instance)
      .with(std::uint64_t{chunk.attempts})
      .with(chunk.worker)
      .with(chunk.result)
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
    job.submission = decode_body<wire::SubmitJob>(rows.bytes(1));
    job.state = decode_body<wire::JobState>(rows.bytes(2));
    job.state.job = job.job;
    job.staging = rows.bytes(3);
  }
  return out;
}

std::vector<Journal::Chunk> Journal::chunks(std::uint64_t job) {
  std::vector<Chunk> out;
  Statement rows(*this,
                 "SELECT stage, chunk, attempt, instance, attempts, worker, result FROM chunks "
                 "WHERE job = ? ORDER BY stage, chunk");
  rows.with(job);
  while (rows.step()) {
    out.push_back({static_cast<std::uint32_t>(rows.number(0)),
                   static_cast<std::uint32_t>(rows.number(1)), rows.bytes(2), rows.number(3),
                   static_cast<std::uint32_t>(rows.number(4)), rows.bytes(5), rows.bytes(6)});
  }
  return out;
}

std::vector<wire::JobState> Journal::states(std::size_t count) {
  std::vector<wire::JobState> out;
  Statement rows(*this, "SELECT job, state FROM jobs ORDER BY job DESC LIMIT ?");
  rows.with(std::uint64_t{count});
  while (rows.step()) {
    out.push_back(decode_body<wire::JobState>(rows.bytes(1)));
    out.back().job = rows.number(0);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::optional<wire::JobState> Journal::state(std::uint64_t job) {
  Statement row(*this, "SELECT state FROM jobs WHERE job = ?");
  if (!row.with(job).step()) return std::nullopt;
  auto out = decode_body<wire::JobState>(row.bytes(0));
  out.job = job;
  return out;
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
