#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include <muster/wire/code.hpp>

namespace muster::cluster {

/// Which programs and plugins may be run: a file with a line "SHA-256  NAME" for each, as sha256sum
/// prints it. What is added or removed there counts for what is submitted from then on, with no
/// restart; a file that makes no sense then changes nothing, and is logged. Not thread-safe.
class AllowedCode {
 public:
  /// Throws Error(usage) that names the line, or Error(io) if there is no file.
  AllowedCode(std::filesystem::path file, std::function<void(const std::string& line)> log);

  bool allows(const wire::Digest& digest);

  /// Adds a line, unless the digest is there already: then false. The file is made if it is
  /// missing. By one process at a time.
  static bool add(const std::filesystem::path& given, const wire::Digest& digest,
                  std::string_view name);

 private:
  void refresh();

  std::filesystem::path file_;
  std::function<void(const std::string&)> log_;
  std::filesystem::file_time_type read_at_{};
  std::set<wire::Digest> digests_;
};

/// For whoever wants to run what is not on the list.
std::string not_allowed(const wire::Digest& digest);

}  // namespace muster::cluster
