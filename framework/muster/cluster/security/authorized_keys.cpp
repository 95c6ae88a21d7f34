#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/cluster/security/authorized_keys.hpp>
#include <muster/cluster/security/key_files.hpp>

namespace muster::cluster {
namespace {

constexpr wire::Role roles[] = {wire::Role::worker, wire::Role::client};

/// With the key: another one of the same name is somebody else.
std::string user_name(wire::Role role, std::string_view name, std::string_view key) {
  return fmt::format("{}:{}:{}", to_string(role), name, key);
}

void make_own_directory(const std::filesystem::path& path) {
  constexpr unsigned for_owner_alone = 0700;
  if (::mkdir(path.c_str(), for_owner_alone) != 0 && errno != EEXIST)
    throw system_error(errno, "cannot make the directory " + path.string());
}

}  // namespace

std::string_view to_string(wire::Role role) noexcept {
  return role == wire::Role::worker ? "worker" : "client";
}

wire::Role parse_role(std::string_view text) {
  for (const wire::Role each : roles) {
    if (to_string(each) == text) return each;
  }
  throw Error(ErrorCode::usage, fmt::format("'{}' is no role", text), "worker or client");
}

AuthorizedKeys::AuthorizedKeys(const std::filesystem::path& keys)
    : directory_(keys / "authorized") {
  make_own_directory(directory_.parent_path());
  make_own_directory(directory_);
  for (const wire::Role each : roles) make_own_directory(directory_ / to_string(each));
  const std::lock_guard lock(mutex_);
  refresh();
  changed_ = false;
}

/// With the lock.
void AuthorizedKeys::refresh() {
  Times now;
  for (const wire::Role role : roles) {
    std::error_code gone;
    const std::filesystem::path of_role = directory_ / to_string(role);
    now[of_role] = std::filesystem::last_write_time(of_role, gone);
    std::filesystem::directory_iterator each(of_role, gone);
    for (; !gone && each != std::filesystem::directory_iterator(); each.increment(gone))
      now[each->path()] = each->last_write_time(gone);
  }
  if (now == times_) return;
  times_ = std::move(now);
  read();
  changed_ = true;
}

void AuthorizedKeys::read() {
  users_.clear();
  for (const wire::Role role : roles) {
    std::error_code gone;
    std::filesystem::directory_iterator each(directory_ / to_string(role), gone);
    for (; !gone && each != std::filesystem::directory_iterator(); each.increment(gone)) {
      if (each->path().extension() != ".pub") continue;
      try {
        const std::string key = read_public_key(each->path());
        users_.emplace(key, user_name(role, each->path().stem().string(), key));
      } catch (const std::exception&) {
        continue;  // it lets nobody in; `muster keys list` says why
      }
    }
  }
}

std::optional<std::string> AuthorizedKeys::user_of(std::string_view public_key) {
  const std::lock_guard lock(mutex_);
  refresh();
  const auto found = users_.find(public_key);
  if (found == users_.end()) return std::nullopt;
  return found->second;
}

bool AuthorizedKeys::may_be(std::string_view user, wire::Role role) {
  if (!user.starts_with(fmt::format("{}:", to_string(role)))) return false;
  const std::lock_guard lock(mutex_);
  refresh();
  return std::any_of(users_.begin(), users_.end(),
                     [&](const auto& each) { return each.second == user; });
}

bool AuthorizedKeys::has_changed() {
  const std::lock_guard lock(mutex_);
  refresh();
  return std::exchange(changed_, false);
}

std::vector<AuthorizedKeys::Entry> AuthorizedKeys::list() {
  std::vector<Entry> out;
  for (const wire::Role role : roles) {
    for (const auto& each : std::filesystem::directory_iterator(directory_ / to_string(role))) {
      if (each.path().extension() == ".pub")
        out.push_back({role, each.path().stem().string(), read_public_key(each.path())});
    }
  }
  std::sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) {
    return std::pair(to_string(a.role), a.name) < std::pair(to_string(b.role), b.name);
  });
  return out;
}

void AuthorizedKeys::add(const Entry& entry) {
  require_key_name(entry.name);
  for (const Entry& each : list()) {
    if (each.name == entry.name)
      throw Error(ErrorCode::usage, fmt::format("there is a '{}' already", entry.name),
                  "give another --name, or revoke that one first");
    if (each.public_key == entry.public_key)
      throw Error(ErrorCode::usage,
                  fmt::format("this key is authorized already, as '{}'", each.name));
  }
  // As a whole or not at all, as the coordinator may look at any time.
  const std::filesystem::path path = directory_ / to_string(entry.role) / (entry.name + ".pub");
  std::filesystem::path unfinished = path;
  unfinished += ".new";
  std::error_code gone;
  std::filesystem::remove(unfinished, gone);
  write_public_key(unfinished, entry.name, entry.public_key);
  std::filesystem::rename(unfinished, path);
}

void AuthorizedKeys::revoke(const std::string& name) {
  require_key_name(name);
  bool any = false;
  for (const wire::Role role : roles) {
    any = std::filesystem::remove(directory_ / to_string(role) / (name + ".pub")) || any;
  }
  if (!any)
    throw Error(ErrorCode::usage, fmt::format("no key is authorized as '{}'", name),
                "muster keys list shows those that are");
}

}  // namespace muster::cluster
