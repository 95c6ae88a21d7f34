#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <muster/http/http_message.hpp>

namespace muster::http {

/// Who may ask. Web pages of others make browsers send requests to this machine, too, so that an
/// address which others do not reach is not enough (DNS rebinding, cross-site requests).
struct HttpAccess {
  /// What the server may be called, besides localhost and the loopback addresses: "head.example".
  /// Ports do not count: tunnels have others.
  std::vector<std::string> hosts;
  std::string token;  ///< who sends it ("Authorization: Bearer TOKEN") may do everything
};

struct HttpRefusal {
  unsigned status = 0;  ///< 401 or 403
  std::string message;
  std::string hint;
};

/// Why a request is not answered; none: it may be. Every method is looked at: the host that it
/// names, where the page comes from that makes a browser send it, and, if it `needs_token`, the
/// token.
std::optional<HttpRefusal> refusal_of(const HttpRequest& request, const HttpAccess& access,
                                      bool needs_token);

/// The token in a file, which is made (mode 0600, 256 random bits) if it is missing. Throws
/// Error(usage) of a file that others may read, or that holds something else; Error(io).
std::string token_in(const std::filesystem::path& file);

}  // namespace muster::http
