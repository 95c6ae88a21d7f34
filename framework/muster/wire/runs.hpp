#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <muster/wire/message_type.hpp>

/// How a task process fetches, from the worker that has them, the run files of map attempts: on a
/// connection of their own, in uncounted frames. Questions are numbered; each has one answer.
namespace muster::wire {

/// Where in these files is the partition?
struct RunsWanted {
  static constexpr MessageType type = MessageType::runs_wanted;

  std::uint64_t number = 0;
  std::uint64_t job = 0;
  std::uint32_t partition = 0;
  std::vector<std::string> runs;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, job, partition, runs);
  }
};

struct RunsIndex {
  static constexpr MessageType type = MessageType::runs_index;

  struct Block {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t records = 0;
    std::uint64_t checksum = 0;

    template <class Archive>
    void serialize(Archive& archive) {
      archive(offset, size, records, checksum);
    }
  };
  struct Run {
    std::string trouble;  ///< why it cannot be had; empty if it can
    std::vector<Block> blocks;

    template <class Archive>
    void serialize(Archive& archive) {
      archive(trouble, blocks);
    }
  };

  std::uint64_t number = 0;
  std::vector<Run> runs;  ///< as they were asked for

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, runs);
  }
};

/// So much is asked for, and sent, at a time.
inline constexpr std::size_t run_bytes_enough = std::size_t{1} << 20U;

/// These bytes of these files, one after the other; together not more than run_bytes_enough.
struct RunBytesWanted {
  static constexpr MessageType type = MessageType::run_bytes_wanted;

  struct Stretch {
    std::string run;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;

    template <class Archive>
    void serialize(Archive& archive) {
      archive(run, offset, size);
    }
  };

  std::uint64_t number = 0;
  std::uint64_t job = 0;
  std::vector<Stretch> stretches;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, job, stretches);
  }
};

struct RunBytes {
  static constexpr MessageType type = MessageType::run_bytes;

  std::uint64_t number = 0;
  std::string trouble;  ///< why they cannot be had; empty if they can
  std::string bytes;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, trouble, bytes);
  }
};

}  // namespace muster::wire
