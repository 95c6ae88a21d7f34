#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include <fcntl.h>

#include <muster/base/error.hpp>
#include <muster/base/thread.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/cluster/shuffle/run_frame.hpp>
#include <muster/cluster/shuffle/run_server.hpp>
#include <muster/mapreduce/run_file.hpp>
#include <muster/wire/message.hpp>

namespace muster::cluster {
namespace {

// So that files which are removed do not stay for long because they are open here.
constexpr Duration close_files_after = std::chrono::seconds(5);
constexpr std::size_t files_open_max = 256;

/// The keys are the same for all workers of a cluster: who has them is one.
std::optional<transport::ListenerKeys> listener_keys(const transport::CurveKeyPair& keys) {
  if (keys.secret_key.empty()) return std::nullopt;
  return transport::ListenerKeys{keys, [own = keys.public_key](std::string_view key) {
                                   return key == own ? std::optional<std::string>("worker")
                                                     : std::nullopt;
                                 }};
}

/// "run-17-3" and the like: no way out of its directory.
bool is_run_name(std::string_view name) {
  constexpr std::string_view prefix = "run-";
  return name.starts_with(prefix) &&
         name.find_first_not_of("0123456789-", prefix.size()) == std::string_view::npos;
}

}  // namespace

RunServer::RunServer(std::filesystem::path jobs, const std::string& host,
                     const transport::CurveKeyPair& keys)
    : jobs_(std::move(jobs)), listener_(context_, "tcp://" + host + ":*", listener_keys(keys)) {
  thread_ = start_thread("the thread that gives run files", [this] { run(); });
}

RunServer::~RunServer() {
  stopping_.store(true);
  listener_.wake();
  thread_.join();
}

void RunServer::run() {
  TimePoint close_files_at = Clock::now() + close_files_after;
  while (!stopping_.load()) {
    listener_.wait(files_.empty() ? std::nullopt : std::optional(close_files_at));
    transport::Listener::Arrived arrived;
    while (!stopping_.load() && listener_.receive(arrived)) answer(arrived);
    const bool close_now = close_files_.exchange(false);
    if (!close_now && Clock::now() < close_files_at && files_.size() <= files_open_max) continue;
    files_.clear();
    close_files_at = Clock::now() + close_files_after;
  }
}

void RunServer::close_files() noexcept {
  close_files_.store(true);
  listener_.wake();
}

void RunServer::answer(const transport::Listener::Arrived& arrived) {
  const wire::FrameReading reading = wire::read_frame(arrived.bytes);
  if (!reading.frame) return;
  try {
    const auto message = wire::read_message(reading.frame->header.type, reading.frame->body);
    if (!message) return;
    // What the other side does not keep up with is dropped; it asks again.
    if (const auto* runs = std::get_if<wire::RunsWanted>(&*message)) {
      listener_.send(arrived.peer, run_frame(on(*runs)));
    } else if (const auto* bytes = std::get_if<wire::RunBytesWanted>(&*message)) {
      listener_.send(arrived.peer, on(*bytes));
    }
  } catch (const Error&) {
    return;  // what makes no sense has no answer
  }
}

std::filesystem::path RunServer::path_of(std::uint64_t job, const std::string& run) const {
  if (!is_run_name(run)) throw Error(ErrorCode::usage, "'" + run + "' is no run file");
  return run_directory(jobs_, job) / run;
}

int RunServer::open(const std::filesystem::path& path) {
  if (files_.size() >= files_open_max && !files_.contains(path)) files_.clear();
  UniqueFd& file = files_[path];
  if (!file) {
    try {
      file = open_file(path, O_RDONLY);
    } catch (...) {
      files_.erase(path);
      throw;
    }
  }
  return file.get();
}

wire::RunsIndex RunServer::on(const wire::RunsWanted& wanted) {
  wire::RunsIndex out;
  out.number = wanted.number;
  for (const std::string& each : wanted.runs) {
    wire::RunsIndex::Run& run = out.runs.emplace_back();
    try {
      const auto path = path_of(wanted.job, each);
      for (const mapreduce::RunBlock& block :
           mapreduce::read_run_index(open(path), path, wanted.partition)) {
        run.blocks.push_back({block.offset, block.size, block.records, block.checksum});
      }
    } catch (const Error& error) {
      run.trouble = error.what();
    }
  }
  return out;
}

/// Reads the bytes to where they are sent from.
wire::SharedFrame RunServer::on(const wire::RunBytesWanted& wanted) {
  try {
    std::size_t size = 0;
    for (const auto& each : wanted.stretches) {
      if (each.size > wire::run_bytes_enough - size)
        throw Error(ErrorCode::limit, "too much was asked for at a time");
      size += each.size;
    }
    auto frame = frames_.take();
    read(wanted, wire::start_run_bytes(*frame, wanted.number, size));
    finish_run_frame(*frame, wire::MessageType::run_bytes);
    bytes_sent_.fetch_add(size);
    return frames_.share(std::move(frame));
  } catch (const Error& error) {
    return run_frame(wire::RunBytes{wanted.number, error.what(), {}});
  }
}

void RunServer::read(const wire::RunBytesWanted& wanted, char* to) {
  for (const auto& each : wanted.stretches) {
    const auto path = path_of(wanted.job, each.run);
    if (read_at(open(path), to, each.size, each.offset, path) != each.size)
      throw Error(ErrorCode::corrupt, path.string() + " ends early");
    to += each.size;
  }
}

}  // namespace muster::cluster
