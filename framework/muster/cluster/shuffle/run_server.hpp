#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <thread>

#include <muster/base/file.hpp>
#include <muster/cluster/shuffle/frame_pool.hpp>
#include <muster/transport/curve.hpp>
#include <muster/transport/zmq_context.hpp>
#include <muster/transport/zmq_listener.hpp>
#include <muster/wire/runs.hpp>

namespace muster::cluster {

/// Gives the run files of map attempts to the reducers of other workers, on a socket and in a
/// thread of its own. Reads only; asked for anything that is no run file of a job, it says no.
class RunServer {
 public:
  /// `jobs`: see run_directory(). `host`: the address of this machine that others reach. With keys
  /// only who has the same ones is let in. Throws Error(io) if nothing can be bound there.
  RunServer(std::filesystem::path jobs, const std::string& host,
            const transport::CurveKeyPair& keys);
  ~RunServer();
  RunServer(const RunServer&) = delete;
  RunServer& operator=(const RunServer&) = delete;

  const std::string& address() const { return listener_.address(); }
  /// Files were removed, and what is open takes room. Of any thread.
  void close_files() noexcept;
  /// Bytes of run files that were sent. Of any thread.
  std::uint64_t bytes_sent() const noexcept { return bytes_sent_.load(); }

 private:
  void run();
  void answer(const transport::Listener::Arrived& arrived);
  wire::RunsIndex on(const wire::RunsWanted& wanted);
  wire::SharedFrame on(const wire::RunBytesWanted& wanted);
  void read(const wire::RunBytesWanted& wanted, char* to);
  std::filesystem::path path_of(std::uint64_t job, const std::string& run) const;
  int open(const std::filesystem::path& path);

  std::filesystem::path jobs_;
  FramePool frames_;
  transport::ZmqContext context_;
  transport::ZmqListener listener_;
  std::map<std::filesystem::path, UniqueFd> files_;  ///< opened lately
  std::atomic<std::uint64_t> bytes_sent_{0};
  std::atomic<bool> close_files_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace muster::cluster
