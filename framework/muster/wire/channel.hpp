#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/base/clock.hpp>
#include <muster/wire/frame.hpp>

namespace muster::wire {

/// A frame on its way. Shared by the channel, which may have to send it again, and the socket.
using SharedFrame = std::shared_ptr<const Bytes>;

struct ChannelOptions {
  /// There is no room while the other side has not acknowledged so much. The frames are fewer than
  /// sockets queue, so that a whole window can be sent again at once.
  std::size_t unacknowledged_bytes_max = std::size_t{32} << 20U;
  std::size_t unacknowledged_frames_max = 4096;
  /// The other side is asked what it has when it has acknowledged nothing for so long; then after
  /// twice as long each time, up to ask_after_max.
  Duration ask_after = std::chrono::seconds(1);
  Duration ask_after_max = std::chrono::seconds(15);
  /// What has arrived is acknowledged by the next frame that goes the other way; by a frame of its
  /// own after this time, or this many.
  Duration acknowledge_after = std::chrono::milliseconds(20);
  std::uint32_t acknowledge_every = 64;
};

/// What became of a frame that arrived.
enum class Arrival : std::uint8_t {
  deliver,   ///< the next one: its body is to be looked at
  handled,   ///< the channel's own affair
  repeated,  ///< it had arrived before
  early,     ///< one before it is missing: it will come again
  stale,     ///< of another epoch
};

/// Both directions between two programs: every message that one sends is delivered to the other
/// once and in order, though frames may be lost, repeated or overtake each other on the way, and
/// though the connection may be replaced by another. The types acknowledge and ask are its own.
///
/// A pure state machine: told of frames and times, it appends the frames that are to be sent. Not
/// thread-safe. Owns what has not been acknowledged.
///
/// Rationale: what is written to a socket is queued, not received; a connection that breaks takes
/// the queue with it without a word. Frames keep their order within a connection. So a side that
/// misses one says so at once; and the other asks only when nothing has been acknowledged for a
/// while: the answer says what was lost of all that was sent before the question. Nothing is sent
/// again on suspicion, which would choke a slow line, nor twice for one reason: whoever asks for
/// everything again and again gets it once in a while.
class Channel {
 public:
  static constexpr std::uint16_t acknowledge = 0;  ///< empty
  static constexpr std::uint16_t missing = 1;      ///< empty: what is not acknowledged was lost
  static constexpr std::uint16_t ask = 2;          ///< body: the last sequence sent, 8 bytes
  static constexpr std::uint16_t answer = 3;       ///< body: that of the question it is for
  static constexpr std::uint16_t first_free_type = 16;

  /// `epoch` goes with every frame; what has another is stale.
  explicit Channel(std::uint64_t epoch, const ChannelOptions& options = {})
      : epoch_(epoch), options_(options) {}

  std::uint64_t epoch() const noexcept { return epoch_; }

  /// Whether the other side keeps up. For whoever sends much: send() does not look.
  bool has_room() const noexcept {
    return unacknowledged_bytes_ < options_.unacknowledged_bytes_max &&
           unacknowledged_.size() < options_.unacknowledged_frames_max;
  }

  /// Sends a frame of start_frame() with its body. The type must not be one of the channel's own.
  /// Throws Error(limit) of a body that is too long; nothing has changed then.
  void send(TimePoint now, std::uint16_t type, Bytes frame, std::vector<SharedFrame>& out);

  /// The same of what is of no use when it comes late: it may get lost, and overtake others.
  SharedFrame make_uncounted(std::uint16_t type, Bytes frame);

  /// Throws Error(corrupt) of a frame of the channel's own that makes no sense.
  Arrival receive(TimePoint now, const Frame& frame, std::vector<SharedFrame>& out);

  /// Does what was due at `now` or before.
  void expire(TimePoint now, std::vector<SharedFrame>& out);
  std::optional<TimePoint> next_deadline() const noexcept;

  /// There is a new connection, and the other side has said up to where it has received: sends the
  /// rest again. False if that cannot be: it has acknowledged more before, or never been sent so
  /// much; then it is not the other side of this channel any more.
  bool resume(TimePoint now, std::uint64_t received_there, std::vector<SharedFrame>& out);

  std::uint64_t received() const noexcept { return received_; }  ///< all up to here has arrived
  std::uint64_t sent() const noexcept { return sent_; }          ///< the last sequence
  std::size_t unacknowledged() const noexcept { return unacknowledged_.size(); }
  std::uint64_t sent_again() const noexcept { return sent_again_; }  ///< frames, in all

 private:
  void take_acknowledgement(TimePoint now, std::uint64_t acknowledged);
  void on_own(TimePoint now, const Frame& frame, std::vector<SharedFrame>& out);
  void send_again(TimePoint now, std::uint64_t up_to, std::vector<SharedFrame>& out);
  void send_own(std::uint16_t type, std::optional<std::uint64_t> body,
                std::vector<SharedFrame>& out);
  void restart_asking(TimePoint now);
  void note_acknowledged() noexcept;  ///< every frame that goes out acknowledges
  FrameHeader header(std::uint16_t type, std::uint64_t sequence) const noexcept {
    return {type, epoch_, sequence, received_};
  }

  std::uint64_t epoch_;
  ChannelOptions options_;

  std::uint64_t sent_ = 0;
  std::deque<SharedFrame> unacknowledged_;  ///< the last one has sequence sent_
  std::size_t unacknowledged_bytes_ = 0;
  std::optional<TimePoint> ask_at_;
  Duration ask_after_{};
  std::optional<std::uint64_t> asked_;  ///< the question that is out
  std::uint64_t repeated_from_ = 0;     ///< where the last repetition began,
  TimePoint may_repeat_at_{};           ///< and when there may be another from there
  std::uint64_t sent_again_ = 0;

  std::uint64_t received_ = 0;
  std::uint64_t reported_missing_ = 0;  ///< the other side has been told that this one is missing
  std::uint32_t unreported_ = 0;        ///< frames received since the last acknowledgement
  std::optional<TimePoint> acknowledge_at_;
};

}  // namespace muster::wire
