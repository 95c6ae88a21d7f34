#include <string>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/sandbox/sandbox_rules.hpp>

namespace muster::sandbox {
namespace {

void put(ByteWriter& out, const std::vector<std::filesystem::path>& paths) {
  out.varint(paths.size());
  for (const auto& each : paths) out.string(each.native());
}

std::vector<std::filesystem::path> get_paths(ByteReader& in) {
  std::vector<std::filesystem::path> out;
  for (std::uint64_t count = in.varint(); count > 0; --count) out.emplace_back(in.string());
  return out;
}

}  // namespace

SandboxMode parse_sandbox_mode(std::string_view text) {
  if (text == "off") return SandboxMode::off;
  if (text == "best-effort") return SandboxMode::best_effort;
  if (text == "require") return SandboxMode::require;
  throw Error(ErrorCode::usage, fmt::format("--sandbox: there is no '{}'", text),
              "off, best-effort or require");
}

Bytes encode(const SandboxRules& rules) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.fixed(std::int32_t{rules.landlock_abi});
  out.fixed(rules.filters_calls);
  put(out, rules.hidden);
  put(out, rules.writable);
  return bytes;
}

SandboxRules decode_sandbox_rules(std::string_view bytes) {
  ByteReader in(bytes, "the rules of a sandbox");
  SandboxRules rules;
  rules.landlock_abi = in.fixed<std::int32_t>();
  rules.filters_calls = in.fixed<bool>();
  rules.hidden = get_paths(in);
  rules.writable = get_paths(in);
  in.finish();
  return rules;
}

}  // namespace muster::sandbox
