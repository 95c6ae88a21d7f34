#include "http_peer.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace muster::test {

std::optional<HttpAnswer> HttpPeer::answer() {
  constexpr std::string_view end_of_head = "\r\n\r\n";
  while (read_.find(end_of_head) == std::string::npos) {
    if (!fill(read_.size() + 1, patience)) return std::nullopt;
  }
  const std::size_t head = read_.find(end_of_head) + end_of_head.size();
  HttpAnswer out;
  std::istringstream lines(read_.substr(0, head));
  std::string version;
  lines >> version >> out.status;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line != "\r") {
    const auto colon = line.find(": ");
    if (colon == std::string::npos) return std::nullopt;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    out.headers[name] = line.substr(colon + 2, line.size() - colon - 3);
  }
  const std::size_t body = std::stoul(out.headers["content-length"]);
  if (!fill(head + body, patience)) return std::nullopt;
  out.body = read_.substr(head, body);
  read_.erase(0, head + body);
  return out;
}

std::optional<HttpAnswer> HttpPeer::ask(const std::string& method, const std::string& path,
                                        const std::string& headers, const std::string& body) {
  const bool names_host = headers.find("Host:") != std::string::npos;
  std::string request = method + " " + path + " HTTP/1.1\r\n";
  if (!names_host) request += "Host: localhost\r\n";
  request += headers;
  if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  if (!write(request + "\r\n" + body)) return std::nullopt;
  return answer();
}

}  // namespace muster::test
