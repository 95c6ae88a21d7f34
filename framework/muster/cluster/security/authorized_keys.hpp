#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/wire/registration.hpp>

namespace muster::cluster {

/// Which keys may be what: the files authorized/ROLE/NAME.pub below a coordinator's directory of
/// keys. What is added or removed there counts from the next look on, with no restart. Thread-safe.
class AuthorizedKeys {
 public:
  /// The directories are made if they are missing. Throws Error(io).
  explicit AuthorizedKeys(const std::filesystem::path& keys);

  /// "ROLE:NAME:KEY" of a key that is known; none of one that is not, or that cannot be read.
  std::optional<std::string> user_of(std::string_view public_key);
  /// Whether that user is known, still, and has the role.
  bool may_be(std::string_view user, wire::Role role);
  /// True once after something has changed.
  bool has_changed();

  struct Entry {
    wire::Role role = wire::Role::client;
    std::string name;
    std::string public_key;
  };
  std::vector<Entry> list();
  /// Throws Error(usage) if the name is taken or the key is known.
  void add(const Entry& entry);
  /// Whoever has that name, in any role. Throws Error(usage) if there is nobody.
  void revoke(const std::string& name);

 private:
  using Times = std::map<std::filesystem::path, std::filesystem::file_time_type>;

  void refresh();
  void read();

  std::filesystem::path directory_;
  std::mutex mutex_;
  Times times_;
  std::map<std::string, std::string, std::less<>> users_;  // by key
  bool changed_ = false;
};

std::string_view to_string(wire::Role role) noexcept;
/// Throws Error(usage).
wire::Role parse_role(std::string_view text);

}  // namespace muster::cluster
