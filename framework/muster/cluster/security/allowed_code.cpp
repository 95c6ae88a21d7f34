#include <sstream>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/cluster/code/sha256.hpp>
#include <muster/cluster/security/allowed_code.hpp>

namespace muster::cluster {
namespace {

std::set<wire::Digest> parse(const std::filesystem::path& file) {
  std::set<wire::Digest> out;
  std::istringstream lines(read_file(file));
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto digest = parse_hex(std::string_view(line).substr(0, line.find(' ')));
    if (!digest) {
      throw Error(ErrorCode::usage,
                  fmt::format("{}:{} does not begin with a SHA-256", file.string(), number),
                  "a line is '64 hexadecimal digits  NAME', as sha256sum prints it");
    }
    out.insert(*digest);
  }
  return out;
}

}  // namespace

AllowedCode::AllowedCode(std::filesystem::path file, std::function<void(const std::string&)> log)
    : file_(std::move(file)), log_(std::move(log)) {
  std::error_code gone;
  read_at_ =
      std::filesystem::last_write_time(file_, gone);  // first: what changes now is seen later
  digests_ = parse(file_);
}

void AllowedCode::refresh() {
  std::error_code gone;
  const auto written = std::filesystem::last_write_time(file_, gone);
  if (written == read_at_) return;
  read_at_ = written;
  try {
    digests_ = parse(file_);
  } catch (const Error& error) {
    log_(fmt::format("the list of what may be run stays as it was: {}", error.what()));
  }
}

bool AllowedCode::allows(const wire::Digest& digest) {
  refresh();
  return digests_.contains(digest);
}

bool AllowedCode::add(const std::filesystem::path& given, const wire::Digest& digest,
                      std::string_view name) {
  const std::filesystem::path file = std::filesystem::weakly_canonical(given);  // not its link
  std::string text;
  const bool is_there = std::filesystem::exists(file);
  if (is_there) {
    if (parse(file).contains(digest)) return false;
    text = read_file(file);
    if (!text.empty() && text.back() != '\n') text += '\n';
  }
  text += fmt::format("{}  {}\n", to_hex(digest), name);
  // As a whole or not at all, as the coordinator may look at any time.
  std::filesystem::path fresh = file;
  fresh += ".new";
  write_file_synced(fresh, text);
  if (is_there) std::filesystem::permissions(fresh, std::filesystem::status(file).permissions());
  std::filesystem::rename(fresh, file);
  return true;
}

std::string not_allowed(const wire::Digest& digest) {
  return fmt::format(
      "the coordinator runs what is on its list alone: 'muster plugin allow {} --list FILE' on its "
      "machine",
      to_hex(digest));
}

}  // namespace muster::cluster
