#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>

#include <muster/base/bytes.hpp>
#include <muster/wire/code.hpp>

namespace muster::cluster {

/// The program that calls this, as workers get it: its file and the libraries that it has loaded,
/// but for those below /lib and /usr/lib, which every machine has to have itself. Reading them
/// takes a second for each 300 MB. Immutable; thread-safe.
class OwnProgram {
 public:
  /// Throws Error(io) if a file cannot be read.
  OwnProgram();

  const wire::Digest& digest() const noexcept { return digest_; }
  /// A part of one of its files, or of its manifest; empty if it is none of them. Throws Error(io).
  std::optional<wire::CodePiece> read(const wire::Digest& digest, std::uint64_t offset) const;

 private:
  Bytes manifest_;
  wire::Digest digest_{};
  std::map<wire::Digest, std::filesystem::path> files_;
};

}  // namespace muster::cluster
