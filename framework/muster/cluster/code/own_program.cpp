#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

#include <muster/base/file.hpp>
#include <muster/cluster/code/code_store.hpp>
#include <muster/cluster/code/own_program.hpp>
#include <muster/cluster/code/program_manifest.hpp>
#include <muster/cluster/code/sha256.hpp>

namespace muster::cluster {
namespace {

bool is_of_system(std::string_view path) {
  constexpr std::string_view places[] = {"/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"};
  return std::any_of(std::begin(places), std::end(places),
                     [&](std::string_view place) { return path.starts_with(place); });
}

int add_library(dl_phdr_info* info, std::size_t /*size*/, void* out) {
  const std::string_view path(info->dlpi_name);
  // The program itself has no name here; what the kernel provides is no file.
  if (path.find('/') != std::string_view::npos && !is_of_system(path))
    static_cast<std::vector<std::string>*>(out)->emplace_back(path);
  return 0;
}

/// What the link names, without what the kernel adds of a file that was replaced.
std::string own_name() {
  std::string name = std::filesystem::read_symlink("/proc/self/exe").filename().string();
  constexpr std::string_view deleted = " (deleted)";
  if (name.ends_with(deleted)) name.resize(name.size() - deleted.size());
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c <= ' ' || c >= '\x7f'; }, '_');
  return name;
}

}  // namespace

OwnProgram::OwnProgram() {
  std::vector<std::string> libraries;
  ::dl_iterate_phdr(&add_library, &libraries);
  ProgramManifest manifest;
  const auto add = [&](const std::filesystem::path& path, const std::string& name) {
    const wire::Digest digest = sha256_of_file(path);
    files_.emplace(digest, path);
    return ProgramManifest::File{name, digest};
  };
  manifest.executable = add("/proc/self/exe", own_name());
  std::set<std::string> names;  // of several with one name the loader finds the first
  for (const std::string& each : libraries) {
    const std::string name = std::filesystem::path(each).filename().string();
    if (names.insert(name).second)
      manifest.libraries.push_back(add(std::filesystem::absolute(each), name));
  }
  manifest_ = encode(manifest);
  digest_ = sha256(manifest_);
}

std::optional<wire::CodePiece> OwnProgram::read(const wire::Digest& digest,
                                                std::uint64_t offset) const {
  const auto piece_of = [&](std::uint64_t size) {
    const std::uint64_t at = std::min(offset, size);
    wire::CodePiece out{digest, size, at, {}};
    out.bytes.resize(std::min<std::uint64_t>(wire::code_piece_bytes, size - at));
    return out;
  };
  if (digest == digest_) {
    wire::CodePiece out = piece_of(manifest_.size());
    out.bytes = manifest_.substr(out.offset, out.bytes.size());
    return out;
  }
  const auto found = files_.find(digest);
  if (found == files_.end()) return std::nullopt;
  const UniqueFd file = open_file(found->second, O_RDONLY);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw system_error(errno, found->second.string());
  wire::CodePiece out = piece_of(static_cast<std::uint64_t>(info.st_size));
  out.bytes.resize(
      read_at(file.get(), out.bytes.data(), out.bytes.size(), out.offset, found->second));
  return out;
}

}  // namespace muster::cluster
