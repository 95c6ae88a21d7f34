#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <muster/cluster/coordinator/questions.hpp>
#include <muster/http/http_access.hpp>
#include <muster/http/http_server.hpp>

namespace muster::dashboard {

struct DashboardOptions {
  std::string address;             ///< as HttpServer takes it
  std::vector<std::string> hosts;  ///< what it is called besides: HttpAccess
  std::filesystem::path token;     ///< the file with the token, which is made if it is missing
  http::HttpLimits limits = {};
  std::function<void(const std::string&)> log = [](const auto&) {};
};

/// A coordinator's state over HTTP: a page, JSON, and Prometheus' metrics. Whoever has the token
/// may cancel jobs and drain workers, and no more: nothing can be submitted.
class Dashboard {
 public:
  /// Coordinator::ask(); called by the server's thread, also while this is destroyed.
  using Ask = std::function<void(cluster::Question, std::function<void(cluster::Answer)>)>;

  /// Throws what HttpServer and token_in() throw.
  Dashboard(DashboardOptions options, Ask ask);

  const std::string& address() const noexcept { return server_.address(); }

 private:
  void take(http::HttpRequest&& request, const http::HttpReply& reply) const;

  http::HttpAccess access_;
  Ask ask_;
  http::HttpServer server_;  ///< last: it uses the others
};

}  // namespace muster::dashboard
