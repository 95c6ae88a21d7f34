#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace muster::http {

/// What somebody asks. Nothing of it is trusted.
struct HttpRequest {
  std::string method;  ///< "GET"
  std::string path;    ///< "/jobs/3", as it was sent: escapes are not resolved
  std::string query;   ///< what stands behind the question mark
  std::map<std::string, std::string> headers;  ///< names in lower case; each comes once
  std::string body;

  /// Empty if there is none.
  const std::string& header(const std::string& name) const;
};

struct HttpResponse {
  unsigned status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< besides those of the server
};

/// To be called once, by any thread, also after the server has ended; more often it does nothing.
using HttpReply = std::function<void(HttpResponse)>;

}  // namespace muster::http
