#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <muster/wire/message_type.hpp>

/// How programs and plugins travel: as bytes that are named by their SHA-256.
namespace muster::wire {

using Digest = std::array<std::uint8_t, 32>;

/// What a digest stands for.
enum class CodeKind : std::uint8_t {
  program,  ///< the manifest of a client's program
  plugin,   ///< a plugin's file
};

/// Send me this, from there on.
struct CodeWanted {
  static constexpr MessageType type = MessageType::code_wanted;

  Digest digest{};
  std::uint64_t offset = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(digest, offset);
  }
};

inline constexpr std::size_t code_piece_bytes = std::size_t{1} << 20U;

/// A piece of it: at most code_piece_bytes. The receiver asks for the next one.
struct CodePiece {
  static constexpr MessageType type = MessageType::code_piece;

  Digest digest{};
  std::uint64_t size = 0;  ///< of the whole
  std::uint64_t offset = 0;
  std::string bytes;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(digest, size, offset, bytes);
    if (bytes.size() > code_piece_bytes)
      throw Error(ErrorCode::corrupt, "a piece of code is longer than pieces may be");
  }
};

/// It is not to be had.
struct CodeMissing {
  static constexpr MessageType type = MessageType::code_missing;

  Digest digest{};
  std::string reason;  ///< for people

  template <class Archive>
  void serialize(Archive& archive) {
    archive(digest, reason);
  }
};

/// From a client: take this file, so that it is there when it is needed. Answered by JobAnswer when
/// the coordinator has it.
struct CodeOffered {
  static constexpr MessageType type = MessageType::code_offered;

  std::uint64_t number = 0;  ///< as those of jobs.hpp
  Digest digest{};

  template <class Archive>
  void serialize(Archive& archive) {
    archive(number, digest);
  }
};

}  // namespace muster::wire
