#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/wire/code.hpp>

namespace muster::cluster {

/// What a client's program consists of. It goes by the digest of its encoding.
struct ProgramManifest {
  struct File {
    std::string name;  ///< for people; of a library, what the loader looks for
    wire::Digest digest{};

    template <class Archive>
    void serialize(Archive& archive) {
      archive(name, digest);
    }
  };

  File executable;
  std::vector<File> libraries;  ///< but for those of the system

  template <class Archive>
  void serialize(Archive& archive) {
    archive(executable, libraries);
  }
};

Bytes encode(const ProgramManifest& manifest);
/// From anybody: throws Error(corrupt) of what is none, or has names that lead elsewhere.
ProgramManifest decode_manifest(std::string_view bytes);

}  // namespace muster::cluster
