#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/launch/host_list.hpp>

namespace muster::launch {
namespace {

constexpr unsigned count_max = 10'000;
constexpr std::string_view separators = ", \t\r";

/// ssh takes what begins with '-' for an option; the others never appear in names of hosts.
bool is_host(std::string_view text) {
  constexpr std::string_view punctuation = "-._@:[]%+";
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           punctuation.find(c) != std::string_view::npos;
  });
}

HostShare parse_host(std::string_view text, std::string_view where) {
  HostShare out;
  const auto star = text.find('*');
  out.host = text.substr(0, star);
  bool ok = is_host(out.host);
  if (star != std::string_view::npos) {
    const char* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data() + star + 1, end, out.count);
    ok = ok && problem == std::errc() && rest == end && out.count > 0 && out.count <= count_max;
  }
  if (ok) return out;
  throw Error(ErrorCode::usage, fmt::format("{}: '{}' is not a host", where, text),
              "write hosts like node1,node2*4,user@node3: a name, and how many workers it takes");
}

void add_hosts(std::string_view line, std::string_view where, std::vector<HostShare>& out) {
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(separators), line.size()));
    if (line.empty()) return;
    const std::string_view word = line.substr(0, line.find_first_of(separators));
    line.remove_prefix(word.size());
    HostShare share = parse_host(word, where);
    const auto same = std::find_if(out.begin(), out.end(),
                                   [&](const HostShare& each) { return each.host == share.host; });
    if (same == out.end()) {
      out.push_back(std::move(share));
    } else {
      same->count += share.count;
    }
  }
}

}  // namespace

std::vector<HostShare> parse_hosts(std::string_view text) {
  std::vector<HostShare> out;
  add_hosts(text, "--hosts", out);
  if (out.empty()) throw Error(ErrorCode::usage, "--hosts names no host", "--hosts node1,node2*4");
  return out;
}

std::vector<HostShare> parse_hostfile(std::string_view text, std::string_view file) {
  std::vector<HostShare> out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    add_hosts(line.substr(0, line.find('#')), file, out);
  }
  if (out.empty()) {
    throw Error(ErrorCode::usage, fmt::format("'{}' names no host", file),
                "one a line, such as node1 or node2*4");
  }
  return out;
}

unsigned total_count(const std::vector<HostShare>& hosts) {
  unsigned out = 0;
  for (const HostShare& each : hosts) out += each.count;
  return out;
}

}  // namespace muster::launch
