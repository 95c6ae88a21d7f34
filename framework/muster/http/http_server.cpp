#include <algorithm>
#include <cctype>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <thread>
#include <utility>  // before Asio, whose coroutines need it with GCC 12

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/thread.hpp>
#include <muster/http/http_server.hpp>

namespace muster::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

tcp::endpoint endpoint_of(const std::string& address) {
  const auto colon = address.rfind(':');
  std::string host = address.substr(0, colon == std::string::npos ? 0 : colon);
  if (host == "localhost") host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const std::string port = address.substr(colon == std::string::npos ? 0 : colon + 1);
  const bool is_number =
      !port.empty() && port.size() <= 5 &&
      std::all_of(port.begin(), port.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  error_code failed;
  const auto parsed = asio::ip::make_address(host, failed);
  if (failed || !is_number || std::stoul(port) > UINT16_MAX)
    throw Error(ErrorCode::usage, fmt::format("'{}' is no address to serve HTTP at", address),
                "127.0.0.1:7680 is one");
  if (parsed.is_loopback() && parsed != asio::ip::address_v4::loopback() &&
      parsed != asio::ip::address_v6::loopback())
    throw Error(ErrorCode::usage, fmt::format("'{}' is not what this machine is called", address),
                "use 127.0.0.1 or [::1]");
  if (!parsed.is_loopback())
    throw Error(
        ErrorCode::usage,
        fmt::format("'{}' can be reached from other machines, and HTTP is not encrypted", address),
        "serve it at 127.0.0.1 and come through a tunnel (ssh -L 7680:127.0.0.1:7680 HOST) "
        "or a proxy with TLS");
  return {parsed, static_cast<std::uint16_t>(std::stoul(port))};
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                                    : fmt::format("{}:{}", host, endpoint.port());
}

/// None if a header comes twice: proxies and servers may disagree about which one counts.
template <class Message>
std::optional<HttpRequest> request_of(Message&& message) {
  HttpRequest out;
  out.method = std::string(message.method_string());
  const std::string target(message.target());
  const auto mark = target.find('?');
  out.path = target.substr(0, mark);
  if (mark != std::string::npos) out.query = target.substr(mark + 1);
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (!out.headers.emplace(std::move(name), std::string(field.value())).second)
      return std::nullopt;
  }
  out.body = std::move(message.body());
  return out;
}

/// What connections have in common; each holds it, so its count of users says how many there are.
struct Shared {
  HttpLimits limits;
  HttpServer::Handler handler;
  std::function<void(const std::string&)> log;
  std::weak_ptr<asio::io_context> io = {};  ///< replies may come when it has gone
};

/// One connection: a request, its answer, and so on. All of it runs in the server's thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket&& socket, std::shared_ptr<const Shared> shared)
      : stream_(std::move(socket)), timer_(stream_.get_executor()), shared_(std::move(shared)) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(shared_->limits.header_bytes);
    parser_->body_limit(shared_->limits.body_bytes);
    stream_.expires_after(shared_->limits.read_within);
    beast::http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code failed, std::size_t) { self->on_header(failed); });
  }

 private:
  /// What servers and proxies take in different ways is refused: a body of unknown coding, or one
  /// that waits to be asked for.
  void on_header(error_code failed) {
    using beast::http::field;
    is_head_ = false;
    if (failed) return on_read(failed);
    is_head_ = parser_->get().method() == beast::http::verb::head;
    if (parser_->get().count(field::transfer_encoding) != 0)
      return answer({501, text, "send the body with a Content-Length\n"});
    if (parser_->get().count(field::expect) != 0)
      return answer({417, text, "send the body without Expect\n"});
    beast::http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code ended, std::size_t) { self->on_read(ended); });
  }

  void on_read(error_code failed) {
    using beast::http::error;
    if (failed == error::header_limit) return answer({431, text, "the header is too long\n"});
    if (failed == error::body_limit) return answer({413, text, "the body is too long\n"});
    // The other side has gone, or took too long.
    if (failed == error::end_of_stream || failed == beast::error::timeout) return close();
    if (failed && failed.category() != beast::http::make_error_code(error::bad_value).category())
      return close();
    if (failed) return answer({400, text, "this is not HTTP\n"});
    const bool keeps = parser_->get().keep_alive();
    std::optional<HttpRequest> request = request_of(parser_->release());
    if (!request) return answer({400, text, "a header comes twice\n"});
    keeps_ = keeps;
    stream_.expires_never();  // the timer is for what follows
    const std::uint64_t number = ++number_;
    timer_.expires_after(shared_->limits.reply_within);
    timer_.async_wait([self = shared_from_this(), number](error_code ended) {
      if (!ended) self->reply(number, {503, text, "no answer: what is asked is busy\n"});
    });
    try {
      shared_->handler(std::move(*request), reply_of(number));
    } catch (const std::exception& thrown) {
      shared_->log(fmt::format("a request was not answered: {}", thrown.what()));
      reply(number, {500, text, "something went wrong; the log says what\n"});
    }
  }

  HttpReply reply_of(std::uint64_t number) {
    return [self = weak_from_this(), io = shared_->io, number](HttpResponse response) {
      const auto loop = io.lock();
      if (!loop) return;
      asio::post(*loop, [self, number, response = std::move(response)]() mutable {
        if (const auto alive = self.lock()) alive->reply(number, std::move(response));
      });
    };
  }

  void reply(std::uint64_t number, HttpResponse&& response) {
    if (number != number_ || std::exchange(replied_, number) == number) return;
    timer_.cancel();
    answer(std::move(response));
  }

  void answer(HttpResponse&& response) {
    response_ = {beast::http::int_to_status(response.status), 11};
    response_.set(beast::http::field::content_type, response.type);
    for (const auto& [name, value] : response.headers) response_.set(name, value);
    if (!is_head_) response_.body() = std::move(response.body);
    response_.keep_alive(keeps_);
    response_.prepare_payload();
    stream_.expires_after(shared_->limits.read_within);
    beast::http::async_write(stream_, response_,
                             [self = shared_from_this()](error_code failed, std::size_t) {
                               const bool goes_on = !failed && std::exchange(self->keeps_, false);
                               goes_on ? self->read() : self->close();
                             });
  }

  void close() {
    error_code ignored;  // the other side may have closed it
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.close();
  }

  static constexpr const char* text = "text/plain; charset=utf-8";

  beast::tcp_stream stream_;
  asio::steady_timer timer_;
  beast::flat_buffer buffer_;
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  beast::http::response<beast::http::string_body> response_;
  std::uint64_t number_ = 0;   ///< of the request
  std::uint64_t replied_ = 0;  ///< the last that was
  bool keeps_ = false;
  bool is_head_ = false;
  std::shared_ptr<const Shared> shared_;
};

}  // namespace

const std::string& HttpRequest::header(const std::string& name) const {
  static const std::string none;
  const auto found = headers.find(name);
  return found == headers.end() ? none : found->second;
}

/// What the thread works on.
class HttpServer::Loop {
 public:
  Loop(const std::string& address, HttpLimits limits, Handler handler,
       std::function<void(const std::string&)> log)
      : io_(std::make_shared<asio::io_context>(1)),
        shared_(std::make_shared<const Shared>(
            Shared{limits, std::move(handler), std::move(log), io_})),
        acceptor_(*io_) {
    const tcp::endpoint wanted = endpoint_of(address);
    try {
      acceptor_.open(wanted.protocol());
      acceptor_.set_option(tcp::acceptor::reuse_address(true));
      acceptor_.bind(wanted);
      acceptor_.listen();
      address_ = text_of(acceptor_.local_endpoint());
    } catch (const boost::system::system_error& failed) {
      const bool is_in_use = failed.code() == boost::system::errc::address_in_use;
      throw Error(ErrorCode::io,
                  fmt::format("cannot serve HTTP at {}: {}", address, failed.code().message()),
                  is_in_use ? "another program is there: give another port" : "");
    }
    accept();
    thread_ = start_thread("the thread that serves HTTP", [this] { io_->run(); });
  }

  ~Loop() {
    io_->stop();
    thread_.join();
  }

  const std::string& address() const noexcept { return address_; }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code failed, tcp::socket socket) {
      if (failed) {  // such as no descriptor left: those that are there end some time
        pause_.expires_after(std::chrono::milliseconds(100));
        pause_.async_wait([this](error_code ended) {
          if (!ended) accept();
        });
        return;
      }
      const auto open = static_cast<std::size_t>(shared_.use_count() - 1);
      if (open < shared_->limits.connections)
        std::make_shared<Connection>(std::move(socket), shared_)->read();
      accept();
    });
  }

  std::shared_ptr<asio::io_context> io_;
  std::shared_ptr<const Shared> shared_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_{*io_};
  std::string address_;
  std::thread thread_;
};

HttpServer::HttpServer(const std::string& address, HttpLimits limits, Handler handler,
                       std::function<void(const std::string&)> log)
    : loop_(std::make_unique<Loop>(address, limits, std::move(handler), std::move(log))) {}

HttpServer::~HttpServer() = default;

const std::string& HttpServer::address() const noexcept { return loop_->address(); }

}  // namespace muster::http
