#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <muster/base/file.hpp>
#include <muster/cluster/code/sha256.hpp>
#include <muster/wire/code.hpp>

namespace muster::cluster {

/// Where the next piece of a download starts; or that it is complete.
struct DownloadStep {
  bool is_complete = false;
  std::uint64_t next_offset = 0;
};

/// Programs and plugins as files that are named by their SHA-256, in a directory. What is found
/// there is believed once it has been read and has the right digest, and for as long as it stays
/// the file that was read. Several programs may use one directory. Not thread-safe.
class CodeStore {
 public:
  static constexpr std::uint64_t file_bytes_max = std::uint64_t{2} << 30U;

  /// The directory is made if it is missing, for its owner alone. Throws Error(io).
  explicit CodeStore(std::filesystem::path directory);
  ~CodeStore();
  CodeStore(CodeStore&&) noexcept = default;
  CodeStore& operator=(CodeStore&&) = delete;

  /// Reads the file the first time, and when it has changed. One that is damaged is removed.
  bool has(const wire::Digest& digest);
  /// Of what there is: read-only and executable.
  std::filesystem::path path_of(const wire::Digest& digest) const;

  /// A part of what there is, from the offset on. Throws Error(corrupt) of an offset beyond its
  /// end.
  wire::CodePiece read(const wire::Digest& digest, std::uint64_t offset) const;

  /// Takes the next piece of what is not there yet. The first one begins a download; one that does
  /// not come next is ignored. Throws Error(corrupt) of what cannot be, or if the whole has another
  /// digest, and Error(io or no_space): the download is over then.
  DownloadStep add(const wire::CodePiece& piece);
  /// Takes a file of this machine; its digest. Throws Error(io, no_space or limit).
  wire::Digest add_file(const std::filesystem::path& path);
  /// Where the download goes on; 0 if there is none.
  std::uint64_t next_offset(const wire::Digest& digest) const;
  void forget_download(const wire::Digest& digest);

 private:
  struct Download {
    std::filesystem::path path;
    UniqueFd file;
    Sha256 hash;
    std::uint64_t size = 0;
    std::uint64_t offset = 0;
  };

  /// Another one after each change of a file: what stat(2) says of it.
  using Version = std::array<std::uint64_t, 5>;

  static std::optional<Version> version_of(const std::filesystem::path& path);
  Download& begin(const wire::CodePiece& piece);
  void complete(const wire::Digest& digest, Download& download);

  std::filesystem::path directory_;
  std::map<wire::Digest, Version> sound_;  ///< of files that were read
  std::map<wire::Digest, Download> downloads_;
};

/// Takes the files NAME.so of a directory that `may_run` allows; logs each. Throws Error.
void take_plugins(CodeStore& store, const std::filesystem::path& directory,
                  const std::function<bool(const wire::Digest&)>& may_run,
                  const std::function<void(const std::string& line)>& log);

/// The digest of a file. Throws Error(io).
wire::Digest sha256_of_file(const std::filesystem::path& path);

}  // namespace muster::cluster
