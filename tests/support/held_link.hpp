#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <muster/base/file.hpp>
#include <muster/wire/message_type.hpp>

namespace muster::test {

/// A way to a coordinator on which things get stuck: what those who are connected send can be held
/// up, and passed on late. Whoever connects meanwhile is not concerned. Needs no privileges.
/// Thread-safe.
class HeldLink {
 public:
  /// To "tcp://127.0.0.1:PORT", without keys: it looks for frames in what passes.
  explicit HeldLink(const std::string& coordinator);
  ~HeldLink();
  HeldLink(const HeldLink&) = delete;
  HeldLink& operator=(const HeldLink&) = delete;

  /// Where to connect to.
  const std::string& address() const noexcept { return address_; }

  /// From now on, of those that are connected and have said this text right at the beginning.
  void hold(const std::string& text);
  /// Passes on what was held, and all that comes.
  void release();
  /// How many frames are held; of one type.
  std::size_t held_frames() const;
  std::size_t held_frames(wire::MessageType type) const;
  /// Bytes that have come back, since release(), over connections that had been held.
  std::size_t answered() const;

 private:
  enum class State : std::uint8_t { passing, holding, released };
  struct Pair {
    UniqueFd from;
    UniqueFd to;
    State state = State::passing;
    std::string beginning = {};
    std::string held = {};
    std::size_t answered = 0;
  };

  void run();
  void accept_one();
  bool pump(Pair& pair);
  std::size_t count(const std::string& frame_start) const;

  int port_ = 0;
  std::string address_;
  UniqueFd listener_;
  mutable std::mutex mutex_;
  std::vector<Pair> pairs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace muster::test
