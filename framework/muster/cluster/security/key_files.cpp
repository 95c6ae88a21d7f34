#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/cluster/security/key_files.hpp>

namespace muster::cluster {
namespace {

constexpr std::size_t key_file_bytes_max = 4096;

// Of the manual page zmq_curve(7): whoever copies them from there has no secret.
constexpr std::array<std::string_view, 2> published_public_keys = {
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"};

Error odd_file(const std::filesystem::path& path, std::string_view why) {
  return Error(ErrorCode::usage, fmt::format("'{}' {}", path.string(), why),
               "muster keys init makes key files");
}

/// The word behind `name` at the start of a line; empty if there is none.
std::string value_of(const std::string& text, std::string_view name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    std::string second;
    if (words >> first >> second && first == name) return second;
  }
  return {};
}

void require_private(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) throw system_error(errno, path.string());
  constexpr mode_t of_others = 077;
  if ((info.st_mode & of_others) != 0) {
    throw Error(ErrorCode::usage, fmt::format("others may read the secret key '{}'", path.string()),
                "chmod 600 " + path.string() + ", or make a new key if somebody has read it");
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    throw Error(ErrorCode::usage, fmt::format("'{}' belongs to somebody else", path.string()));
}

void write_new(const std::filesystem::path& path, unsigned mode, std::string_view text) {
  const UniqueFd file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  try {
    write_all(file.get(), text, path);
    sync_file(file.get(), path);
  } catch (const Error&) {
    std::error_code gone;
    std::filesystem::remove(path, gone);
    throw;
  }
}

}  // namespace

void require_key_name(std::string_view name) {
  constexpr std::size_t longest = 64;
  const bool is_sound = !name.empty() && name.size() <= longest && name.front() != '.' &&
                        std::all_of(name.begin(), name.end(), [](unsigned char c) {
                          return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
                        });
  if (is_sound) return;
  throw Error(ErrorCode::usage, fmt::format("'{}' cannot be the name of a key", name),
              "1 to 64 letters, digits, dots, dashes and underscores");
}

void require_public_key(std::string_view key, const std::filesystem::path& where) {
  if (!transport::is_curve_key(key)) throw odd_file(where, "holds no public key");
  if (std::find(published_public_keys.begin(), published_public_keys.end(), key) ==
      published_public_keys.end())
    return;
  throw Error(
      ErrorCode::usage,
      fmt::format("'{}' holds a key of ZeroMQ's manual, which everybody has", where.string()),
      "make keys of your own: muster keys init");
}

transport::CurveKeyPair make_key_files(const std::filesystem::path& directory,
                                       const std::string& name) {
  require_key_name(name);
  const std::filesystem::path key = directory / (name + ".key");
  const std::filesystem::path pub = directory / (name + ".pub");
  for (const auto& path : {key, pub}) {
    if (std::filesystem::exists(path)) {
      throw Error(ErrorCode::usage, fmt::format("there is a key already: '{}'", path.string()),
                  "remove it first, if nobody uses it any more");
    }
  }
  constexpr unsigned for_owner_alone = 0700;
  if (::mkdir(directory.c_str(), for_owner_alone) != 0 && errno != EEXIST)
    throw system_error(errno, "cannot make the directory " + directory.string());
  transport::CurveKeyPair keys = transport::make_curve_keys();
  write_new(key, 0600,
            fmt::format("# The secret key of {}: it is not to leave this machine.\n"
                        "public {}\nsecret {}\n",
                        name, keys.public_key, keys.secret_key));
  write_public_key(pub, name, keys.public_key);
  return keys;
}

void write_public_key(const std::filesystem::path& path, const std::string& name,
                      const std::string& public_key) {
  write_new(path, 0644, fmt::format("# The public key of {}.\npublic {}\n", name, public_key));
}

transport::CurveKeyPair read_key_file(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    throw Error(ErrorCode::usage, fmt::format("there is no key '{}'", path.string()),
                fmt::format("'muster keys init {}' makes one, in the directory that --keys names",
                            path.stem().string()));
  }
  require_private(path);
  const std::string text = read_file(path, key_file_bytes_max);
  transport::CurveKeyPair out{value_of(text, "public"), value_of(text, "secret")};
  if (!transport::is_curve_key(out.secret_key)) throw odd_file(path, "holds no secret key");
  require_public_key(out.public_key, path);
  if (transport::public_key_of(out.secret_key) != out.public_key)
    throw odd_file(path, "holds two halves that do not belong together");
  return out;
}

std::string read_public_key(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    throw Error(ErrorCode::usage, fmt::format("there is no public key '{}'", path.string()),
                fmt::format("copy {} there from the machine that it was made on",
                            path.filename().string()));
  }
  const std::string text = read_file(path, key_file_bytes_max);
  if (!value_of(text, "secret").empty())
    throw odd_file(path, "holds a secret key, where the public half is wanted");
  std::string out = value_of(text, "public");
  require_public_key(out, path);
  return out;
}

transport::DialerKeys read_dialer_keys(const std::filesystem::path& path, const std::string& name) {
  if (!std::filesystem::exists(path)) {
    throw Error(ErrorCode::usage, fmt::format("there are no keys at '{}'", path.string()),
                fmt::format("--keys names a directory with {0}.key and coordinator.pub; 'muster "
                            "keys init {0}' makes the first",
                            name));
  }
  const bool is_directory = std::filesystem::is_directory(path);
  const std::filesystem::path file = is_directory ? path / (name + ".key") : path;
  const std::filesystem::path of_coordinator =
      (is_directory ? path : path.parent_path()) / "coordinator.pub";
  return {read_key_file(file), read_public_key(of_coordinator)};
}

std::vector<std::filesystem::path> secret_paths(const std::filesystem::path& keys) {
  if (!std::filesystem::exists(keys)) return {};
  const bool is_directory = std::filesystem::is_directory(keys);
  std::vector<std::filesystem::path> out{std::filesystem::canonical(keys)};
  const auto directory =
      is_directory ? out.front()
                   : std::filesystem::canonical(std::filesystem::absolute(keys).parent_path());
  for (const auto& each : std::filesystem::directory_iterator(directory)) {
    if (each.path().extension() != ".key") continue;
    std::error_code dangling;
    const auto target = std::filesystem::canonical(each.path(), dangling);
    const bool is_inside = is_directory && target.parent_path() == directory;
    if (!dangling && !is_inside && target != out.front()) out.push_back(target);
  }
  return out;
}

}  // namespace muster::cluster
