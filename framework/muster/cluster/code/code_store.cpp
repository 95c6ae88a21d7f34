#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/cluster/code/code_store.hpp>

namespace muster::cluster {
namespace {

constexpr unsigned for_owner_alone = 0700;

void make_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory.parent_path(), error);
  if (::mkdir(directory.c_str(), for_owner_alone) == 0 || errno == EEXIST) return;
  throw system_error(errno, "cannot make the directory " + directory.string());
}

std::uint64_t size_of(int fd, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw system_error(errno, path.string());
  return static_cast<std::uint64_t>(info.st_size);
}

void remove_quietly(const std::filesystem::path& path) noexcept {
  std::error_code gone;
  std::filesystem::remove(path, gone);
}

/// Downloads of programs that were killed. Others may be at work in the same directory.
void remove_leftovers(const std::filesystem::path& directory) {
  constexpr auto old = std::chrono::hours(24);
  const auto now = std::filesystem::file_time_type::clock::now();
  std::error_code gone;
  for (const auto& each : std::filesystem::directory_iterator(directory, gone)) {
    const auto changed = each.last_write_time(gone);
    if (!gone && each.path().has_extension() && changed + old < now) remove_quietly(each.path());
  }
}

}  // namespace

wire::Digest sha256_of_file(const std::filesystem::path& path) {
  const UniqueFd file = open_file(path, O_RDONLY);
  std::string buffer(wire::code_piece_bytes, '\0');
  Sha256 hash;
  for (std::uint64_t offset = 0;;) {
    const std::size_t got = read_at(file.get(), buffer.data(), buffer.size(), offset, path);
    if (got == 0) return hash.finish();
    hash.add({buffer.data(), got});
    offset += got;
  }
}

void take_plugins(CodeStore& store, const std::filesystem::path& directory,
                  const std::function<bool(const wire::Digest&)>& may_run,
                  const std::function<void(const std::string& line)>& log) {
  std::vector<std::filesystem::path> files;
  try {
    for (const auto& each : std::filesystem::directory_iterator(directory)) {
      if (each.path().extension() == ".so" && each.is_regular_file()) files.push_back(each.path());
    }
  } catch (const std::filesystem::filesystem_error& error) {
    throw system_error(error.code().value(), "cannot read " + directory.string());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    const wire::Digest digest = sha256_of_file(file);
    if (!may_run(digest)) {
      log(fmt::format("plugin {} is left out: it is not on the list of --allow", file.string()));
      continue;
    }
    store.add_file(file);
    log(fmt::format("has plugin {}, {}", file.string(), to_hex(digest)));
  }
}

CodeStore::CodeStore(std::filesystem::path directory) : directory_(std::move(directory)) {
  make_directory(directory_);
  remove_leftovers(directory_);
}

CodeStore::~CodeStore() {
  for (const auto& [digest, download] : downloads_) remove_quietly(download.path);
}

std::filesystem::path CodeStore::path_of(const wire::Digest& digest) const {
  return directory_ / to_hex(digest);
}

bool CodeStore::has(const wire::Digest& digest) {
  const std::filesystem::path path = path_of(digest);
  // Before it is read: what changes meanwhile is read again the next time.
  const std::optional<Version> version = version_of(path);
  const auto known = sound_.find(digest);
  if (version && known != sound_.end() && known->second == *version) return true;
  if (known != sound_.end()) sound_.erase(known);
  if (!version) return false;
  if (sha256_of_file(path) != digest) {
    remove_quietly(path);
    return false;
  }
  sound_.emplace(digest, *version);
  return true;
}

std::optional<CodeStore::Version> CodeStore::version_of(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return Version{info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
                 static_cast<std::uint64_t>(info.st_ctim.tv_sec),
                 static_cast<std::uint64_t>(info.st_ctim.tv_nsec)};
}

wire::CodePiece CodeStore::read(const wire::Digest& digest, std::uint64_t offset) const {
  const std::filesystem::path path = path_of(digest);
  const UniqueFd file = open_file(path, O_RDONLY);
  wire::CodePiece out{digest, size_of(file.get(), path), offset, {}};
  if (offset > out.size) throw Error(ErrorCode::corrupt, "a piece is wanted that there is not");
  out.bytes.resize(std::min<std::uint64_t>(wire::code_piece_bytes, out.size - offset));
  out.bytes.resize(read_at(file.get(), out.bytes.data(), out.bytes.size(), offset, path));
  return out;
}

wire::Digest CodeStore::add_file(const std::filesystem::path& path) {
  const wire::Digest digest = sha256_of_file(path);
  if (has(digest)) return digest;
  forget_download(digest);
  const UniqueFd file = open_file(path, O_RDONLY);
  wire::CodePiece piece{digest, size_of(file.get(), path), 0, {}};
  for (bool is_complete = false; !is_complete;) {
    piece.bytes.resize(std::min<std::uint64_t>(wire::code_piece_bytes, piece.size - piece.offset));
    piece.bytes.resize(
        read_at(file.get(), piece.bytes.data(), piece.bytes.size(), piece.offset, path));
    is_complete = add(piece).is_complete;
    if (piece.bytes.empty() && !is_complete)
      throw Error(ErrorCode::io, fmt::format("{} changes while it is read", path.string()));
    piece.offset += piece.bytes.size();
  }
  return digest;
}

std::uint64_t CodeStore::next_offset(const wire::Digest& digest) const {
  const auto found = downloads_.find(digest);
  return found == downloads_.end() ? 0 : found->second.offset;
}

void CodeStore::forget_download(const wire::Digest& digest) {
  const auto found = downloads_.find(digest);
  if (found == downloads_.end()) return;
  remove_quietly(found->second.path);
  downloads_.erase(found);
}

CodeStore::Download& CodeStore::begin(const wire::CodePiece& piece) {
  if (piece.size > file_bytes_max) {
    throw Error(ErrorCode::limit, fmt::format("a program has {} bytes, more than the limit of {}",
                                              piece.size, file_bytes_max));
  }
  const auto name = fmt::format("{}.{:08x}", to_hex(piece.digest), std::random_device()());
  Download made;
  made.path = directory_ / name;
  made.size = piece.size;
  made.file = open_file(made.path, O_WRONLY | O_CREAT | O_EXCL, for_owner_alone);
  return downloads_.emplace(piece.digest, std::move(made)).first->second;
}

DownloadStep CodeStore::add(const wire::CodePiece& piece) {
  auto found = downloads_.find(piece.digest);
  if (found == downloads_.end() && piece.offset != 0) return {};
  try {
    Download& download = found == downloads_.end() ? begin(piece) : found->second;
    if (piece.offset != download.offset) return {false, download.offset};
    const bool is_odd = piece.size != download.size ||
                        piece.bytes.size() > download.size - download.offset ||
                        (piece.bytes.empty() && download.size != 0);
    if (is_odd) throw Error(ErrorCode::corrupt, "a piece of a program does not fit");
    write_all(download.file.get(), piece.bytes, download.path);
    download.hash.add(piece.bytes);
    download.offset += piece.bytes.size();
    if (download.offset < download.size) return {false, download.offset};
    complete(piece.digest, download);
  } catch (...) {
    forget_download(piece.digest);
    throw;
  }
  downloads_.erase(piece.digest);
  return {true, 0};
}

void CodeStore::complete(const wire::Digest& digest, Download& download) {
  if (const wire::Digest got = download.hash.finish(); got != digest) {
    throw Error(ErrorCode::corrupt,
                fmt::format("what came as {} has another digest: {}", to_hex(digest), to_hex(got)));
  }
  constexpr mode_t read_and_execute = 0500;
  if (::fchmod(download.file.get(), read_and_execute) != 0)
    throw system_error(errno, download.path.string());
  sync_file(download.file.get(), download.path);
  download.file.reset();  // nobody executes what somebody writes
  const std::filesystem::path path = path_of(digest);
  std::error_code error;
  std::filesystem::rename(download.path, path, error);
  if (error) throw system_error(error.value(), path.string());
  if (const auto version = version_of(path)) sound_.insert_or_assign(digest, *version);
}

}  // namespace muster::cluster
