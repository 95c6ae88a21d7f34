#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/http/http_access.hpp>

namespace muster::http {
namespace {

constexpr std::size_t token_bytes = 32;
constexpr std::string_view scheme = "Bearer ";

/// "head:7680" without its port.
std::string_view without_port(std::string_view host) {
  const auto colon = host.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos &&
      std::all_of(host.begin() + static_cast<std::ptrdiff_t>(colon) + 1, host.end(),
                  [](unsigned char c) { return std::isdigit(c) != 0; });
  return has_port ? host.substr(0, colon) : host;
}

bool is_same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

bool is_one_of(std::string_view host, const std::vector<std::string>& others) {
  return std::any_of(others.begin(), others.end(), [&](const auto& each) {
    return is_same(without_port(host), without_port(each));
  });
}

bool is_known(std::string_view host, const std::vector<std::string>& others) {
  constexpr std::array<std::string_view, 3> own = {"localhost", "127.0.0.1", "[::1]"};
  return std::any_of(own.begin(), own.end(),
                     [&](const auto& each) { return is_same(without_port(host), each); }) ||
         is_one_of(host, others);
}

/// Of a browser: whether the page that asks is one of ours. Behind a proxy that has TLS it may come
/// from the proxy's name, while the proxy asks for ours.
bool is_of_our_page(const HttpRequest& request, const std::vector<std::string>& others) {
  constexpr std::string_view with_tls = "https://";
  const std::string& site = request.header("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") return false;
  const std::string& origin = request.header("origin");
  const std::string& host = request.header("host");
  return origin.empty() || is_same(origin, "http://" + host) ||
         is_same(origin, "https://" + host) ||
         (origin.starts_with(with_tls) &&
          is_one_of(std::string_view(origin).substr(with_tls.size()), others));
}

bool has_token(const HttpRequest& request, const std::string& token) {
  const std::string_view given = request.header("authorization");
  if (given.size() != scheme.size() + token.size() || token.empty() ||
      !is_same(given.substr(0, scheme.size()), scheme))
    return false;
  return ::sodium_memcmp(given.data() + scheme.size(), token.data(), token.size()) == 0;
}

std::string new_token() {
  if (::sodium_init() < 0) throw Error(ErrorCode::io, "libsodium cannot be initialised");
  std::array<unsigned char, token_bytes> random{};
  ::randombytes_buf(random.data(), random.size());
  std::string out(2 * token_bytes + 1, '\0');
  ::sodium_bin2hex(out.data(), out.size(), random.data(), random.size());
  out.pop_back();
  return out;
}

Error odd(const std::filesystem::path& file, const char* what) {
  return Error(ErrorCode::usage, fmt::format("'{}' {}", file.string(), what),
               "remove it: a new one is made");
}

}  // namespace

std::optional<HttpRefusal> refusal_of(const HttpRequest& request, const HttpAccess& access,
                                      bool needs_token) {
  const std::string& host = request.header("host");
  if (!is_known(host, access.hosts))
    return HttpRefusal{403, fmt::format("this server is not called '{}'", host),
                       "if it is, start the coordinator with --http-host and that name"};
  if (!is_of_our_page(request, access.hosts))
    return HttpRefusal{
        403, fmt::format("a page of another site may not ask: '{}'", request.header("origin")),
        "if it is a proxy before this server, start the coordinator with --http-host and its name"};
  if (needs_token && !has_token(request, access.token))
    return HttpRefusal{401, "the token is missing, or another one",
                       "send 'Authorization: Bearer TOKEN', with the token that is in the file "
                       "http-token of the coordinator's state directory"};
  return std::nullopt;
}

std::string token_in(const std::filesystem::path& file) {
  constexpr mode_t for_others = 077;
  const UniqueFd made(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));  // NOLINT: the mode
  if (made) {
    std::string token = new_token();
    write_all(made.get(), token + "\n", file);
    return token;
  }
  if (errno != EEXIST) throw system_error(errno, "cannot make " + file.string());
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) throw system_error(errno, "cannot read " + file.string());
  if ((status.st_mode & for_others) != 0) throw odd(file, "may be read by others");
  std::string token = read_file(file, 2 * token_bytes + 1);
  if (!token.empty() && token.back() == '\n') token.pop_back();
  const bool is_token = token.size() == 2 * token_bytes &&
                        std::all_of(token.begin(), token.end(),
                                    [](unsigned char c) { return std::isxdigit(c) != 0; });
  if (!is_token) throw odd(file, "holds no token");
  return token;
}

}  // namespace muster::http
