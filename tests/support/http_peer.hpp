#pragma once

#include <map>
#include <optional>
#include <string>

#include "tcp_peer.hpp"

namespace muster::test {

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// Who asks over HTTP, as politely as it wants to.
class HttpPeer : public TcpPeer {
 public:
  using TcpPeer::TcpPeer;

  /// The next answer; none if the connection is closed, or nothing comes for a while.
  std::optional<HttpAnswer> answer();
  /// Asks and waits. `headers`: whole lines, each with its end.
  std::optional<HttpAnswer> ask(const std::string& method, const std::string& path,
                                const std::string& headers = {}, const std::string& body = {});
};

}  // namespace muster::test
