#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>

namespace muster::sandbox {

enum class SandboxMode { off, best_effort, require };

/// Of "off", "best-effort" or "require". Throws Error(usage) that lists them.
SandboxMode parse_sandbox_mode(std::string_view text);

/// What a task process is held to. Paths are canonical.
struct SandboxRules {
  int landlock_abi = 0;        ///< the rules of this ABI are used; 0: no Landlock
  bool filters_calls = false;  ///< seccomp is used
  std::vector<std::filesystem::path> hidden = {};    ///< files and directories not to be read
  std::vector<std::filesystem::path> writable = {};  ///< directories, or devices

  bool operator==(const SandboxRules&) const = default;
};

Bytes encode(const SandboxRules& rules);
SandboxRules decode_sandbox_rules(std::string_view bytes);  ///< throws Error(corrupt)

}  // namespace muster::sandbox
