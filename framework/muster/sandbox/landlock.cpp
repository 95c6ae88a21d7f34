#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/sandbox/landlock.hpp>
#include <muster/sandbox/readable_paths.hpp>

namespace muster::sandbox {
namespace {

// Names of our own for what Linux 6.1's header, which Debian 12 has, does not know yet.
constexpr std::uint64_t fs_truncate = std::uint64_t{1} << 14U;   // ABI 3
constexpr std::uint64_t net_bind_tcp = std::uint64_t{1} << 0U;   // ABI 4
constexpr std::uint64_t scope_sockets = std::uint64_t{1} << 0U;  // ABI 6: abstract Unix sockets
constexpr std::uint64_t scope_signals = std::uint64_t{1} << 1U;  // ABI 6
constexpr int abi_of_truncate = 3;
constexpr int abi_of_tcp = 4;
constexpr int abi_of_scopes = 6;

/// struct landlock_ruleset_attr of ABI 6. An older kernel takes it, too, as long as what it does
/// not know is 0.
struct RulesetAttributes {
  std::uint64_t handled_fs = 0;
  std::uint64_t handled_net = 0;
  std::uint64_t scoped = 0;
};

/// Changes to the file system that may be allowed somewhere.
std::uint64_t changes(int abi) {
  std::uint64_t out = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                      LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                      LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                      LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM;
  if (abi >= 2) out |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= abi_of_truncate) out |= fs_truncate;
  return out;
}

constexpr std::uint64_t devices_made = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
constexpr std::uint64_t of_files =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | fs_truncate;

/// Allows `access` to the file, or below the directory. Of what has gone there is nothing to allow.
void allow(int ruleset, const std::filesystem::path& path, std::uint64_t access, int extra_flags) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC | extra_flags));
  if (!fd) return;
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw system_error(errno, path.string());
  if (S_ISLNK(info.st_mode)) return;  // it has taken the place of something else
  landlock_path_beneath_attr rule{};
  rule.allowed_access = S_ISDIR(info.st_mode) ? access : access & of_files;
  rule.parent_fd = fd.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) return;
  throw system_error(errno, fmt::format("cannot make a Landlock rule for '{}'", path.string()));
}

/// What programs write to without changing a file: the usual devices, terminals, and accelerators,
/// which are used by opening them for writing.
std::vector<std::filesystem::path> devices() {
  std::vector<std::filesystem::path> out{
      "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
      "/dev/ptmx", "/dev/pts",  "/dev/shm",  "/dev/dri",    "/dev/kfd",     "/dev/infiniband"};
  std::error_code none;
  for (const auto& each : std::filesystem::directory_iterator("/dev", none)) {
    if (each.path().filename().native().starts_with("nvidia")) out.push_back(each.path());
  }
  return out;
}

void require_none_hidden(const std::vector<std::filesystem::path>& writable,
                         const std::vector<std::filesystem::path>& hidden) {
  for (const auto& place : writable) {
    std::error_code gone;
    const auto canonical = std::filesystem::weakly_canonical(place, gone);
    for (const auto& secret : hidden) {
      if (!lies_in(secret, canonical)) continue;
      throw Error(ErrorCode::usage,
                  fmt::format("task processes would have to write to '{}', and must not see '{}' "
                              "in there",
                              place.string(), secret.string()),
                  "keep keys in a directory of their own, such as /etc/muster/keys");
    }
  }
}

}  // namespace

int landlock_abi() noexcept {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? -errno : static_cast<int>(abi);
}

UniqueFd make_ruleset(const SandboxRules& rules) {
  std::vector<std::filesystem::path> writable = devices();
  writable.insert(writable.end(), rules.writable.begin(), rules.writable.end());
  require_none_hidden(writable, rules.hidden);
  const int abi = rules.landlock_abi;
  const std::uint64_t reads = rules.hidden.empty() ? 0 : LANDLOCK_ACCESS_FS_READ_FILE;
  RulesetAttributes attributes;
  attributes.handled_fs = changes(abi) | devices_made | reads;
  if (abi >= abi_of_tcp) attributes.handled_net = net_bind_tcp;
  if (abi >= abi_of_scopes) attributes.scoped = scope_sockets | scope_signals;
  UniqueFd out(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0)));
  if (!out) throw system_error(errno, "cannot make a Landlock ruleset");
  for (const auto& each : writable) allow(out.get(), each, changes(abi) | reads, 0);
  for (const auto& each : readable_paths(rules.hidden)) allow(out.get(), each, reads, O_NOFOLLOW);
  return out;
}

int restrict_to(int ruleset) noexcept {
  return ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : errno;
}

}  // namespace muster::sandbox
