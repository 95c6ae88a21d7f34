#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/error.hpp>
#include <muster/mapreduce/attempt.hpp>
#include <muster/mapreduce/run_file.hpp>
#include <muster/transport/curve.hpp>
#include <muster/transport/zmq_context.hpp>
#include <muster/transport/zmq_dialer.hpp>
#include <muster/wire/message.hpp>

namespace muster::cluster {

/// Run files that cannot be had from where they were.
class InputLost : public Error {
 public:
  /// `is_gone`: their worker has answered, and does not have them any more. Else `silent` is its
  /// address.
  InputLost(const std::string& message, std::vector<std::uint32_t> runs, bool is_gone,
            std::string silent = {})
      : Error(ErrorCode::io, message),
        runs_(std::move(runs)),
        is_gone_(is_gone),
        silent_(std::move(silent)) {}

  const std::vector<std::uint32_t>& runs() const noexcept { return runs_; }
  bool is_gone() const noexcept { return is_gone_; }
  const std::string& silent() const noexcept { return silent_; }

 private:
  std::vector<std::uint32_t> runs_;
  bool is_gone_;
  std::string silent_;
};

/// Where the runs of a reduce attempt are.
struct RunPlaces {
  std::uint64_t job = 0;
  std::uint32_t partition = 0;
  std::vector<std::string> runs;  ///< their names, in the order in which they are to be read
  std::vector<std::string> addresses;
  std::vector<std::uint32_t> address_of_run;
  std::filesystem::path own_directory;  ///< where those of `own_address` are
  std::string own_address;
  transport::CurveKeyPair keys;  ///< empty: none
  /// A worker that gives nothing for so long is given up.
  Duration patience = std::chrono::seconds(20);
};

/// One partition of run files on many workers, in order: those of this machine are read, the others
/// fetched over a connection to each worker, a few MiB ahead of what is used. Every block is
/// checked. Not thread-safe. next() throws InputLost.
class RunSource final : public mapreduce::PartitionSource {
 public:
  explicit RunSource(RunPlaces places);
  ~RunSource() override;

  std::optional<std::string_view> next() override;
  std::uint64_t records() const override { return records_; }

 private:
  struct Peer;
  struct Block {
    std::uint32_t run = 0;
    wire::RunsIndex::Block at;
  };
  /// One question for bytes, which are of one block or of several small ones.
  struct Fetch {
    std::uint32_t address = 0;
    wire::RunBytesWanted wanted;
    std::uint64_t size = 0;
    std::optional<transport::ReceivedFrame> bytes = {};  ///< what was asked for, and no more
  };

  bool is_own(std::uint32_t run) const;
  Peer& peer(std::uint32_t address);
  void fetch_indexes();
  void note_gone(std::uint32_t run, const std::string& trouble);
  void plan_fetches();
  void ask_ahead();
  transport::ReceivedFrame take_bytes();
  void receive(Peer& from);
  void on_index(Peer& from, std::string_view body) const;
  void on_bytes(const Peer& from, const transport::ReceivedFrame& frame, std::string_view body);
  void ask_again(Peer& of);
  [[noreturn]] void lose(std::uint32_t address, const std::string& why) const;
  [[noreturn]] void lose(const Fetch& fetch, const std::string& why) const;
  std::optional<std::string_view> next_of_own();
  std::string_view next_of_others(std::uint64_t size);

  const RunPlaces places_;
  transport::ZmqContext context_;
  std::vector<std::unique_ptr<Peer>> peers_;  ///< by address
  std::vector<std::vector<Block>> blocks_;    ///< by run; of others
  std::vector<Fetch> fetches_;                ///< numbered from 0, in the order of use
  std::size_t asked_ = 0;                     ///< fetches that were asked for,
  std::size_t used_ = 0;                      ///< and those that were taken
  transport::ReceivedFrame bytes_;            ///< of the fetch that is used just now, what is left
  std::uint32_t run_ = 0;                     ///< that is read just now
  std::size_t block_ = 0;
  std::optional<mapreduce::RunReader> own_;
  Bytes current_;  ///< a block that came in several fetches
  std::uint64_t records_ = 0;
  std::vector<std::uint32_t> gone_;  ///< runs that are not where they were,
  std::string trouble_;              ///< and what was said of the first
};

}  // namespace muster::cluster
