#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/http/http_server.hpp>

#include "support/http_peer.hpp"

namespace muster::http {
namespace {

using namespace std::chrono_literals;
using test::HttpPeer;

class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpServer::Handler handler, HttpLimits limits = {}) {
    server.emplace("127.0.0.1:0", limits, std::move(handler), [this](const std::string& line) {
      const std::lock_guard lock(mutex);
      logged += line + "\n";
    });
  }
  /// Says what it was asked.
  void start_echo(HttpLimits limits = {}) {
    start(
        [](HttpRequest&& request, const HttpReply& reply) {
          std::string text = request.method + " " + request.path + " ? " + request.query;
          for (const auto& [name, value] : request.headers) text += "|" + name + "=" + value;
          reply({201, "text/plain", text + "|" + request.body, {{"X-Own", "yes"}}});
        },
        limits);
  }
  std::string address() const { return server->address(); }
  int status_of(const std::string& bytes) const {
    HttpPeer peer(address());
    if (!peer.write(bytes)) return -1;
    const auto answer = peer.answer();
    return answer ? answer->status : 0;
  }
  std::string log() {
    const std::lock_guard lock(mutex);
    return logged;
  }

  std::optional<HttpServer> server;
  std::mutex mutex;
  std::string logged;
};

ErrorCode refusal(const std::string& address) {
  try {
    const HttpServer server(
        address, {}, [](auto&&...) {}, [](const auto&) {});
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(address), std::string::npos) << error.what();
    return error.code();
  }
  return ErrorCode::broken;  // stands for: taken
}

TEST_F(HttpServerTest, GivesTheHandlerWhatWasAsked) {
  start_echo();
  HttpPeer peer(address());
  const auto answer = peer.ask("POST", "/a/b%20c?x=1?", "X-Some: Value\r\n", "text");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->headers.at("content-type"), "text/plain");
  EXPECT_EQ(answer->headers.at("x-own"), "yes");
  EXPECT_EQ(answer->body, "POST /a/b%20c ? x=1?|content-length=4|host=localhost|x-some=Value|text");
}

TEST_F(HttpServerTest, AnswersMoreThanOnceOnAConnection) {
  start_echo();
  HttpPeer peer(address());
  for (int i = 0; i < 100; ++i) {
    const auto answer = peer.ask("GET", "/" + std::to_string(i));
    ASSERT_TRUE(answer) << i;
    ASSERT_NE(answer->body.find("GET /" + std::to_string(i) + " ?"), std::string::npos);
  }
  const auto last = peer.ask("GET", "/", "Connection: close\r\n");
  ASSERT_TRUE(last);
  EXPECT_EQ(last->status, 201);
  EXPECT_TRUE(peer.is_closed_within(20s));
}

TEST_F(HttpServerTest, AnswersRequestsThatComeAtOnceInTheirOrder) {
  start_echo();
  HttpPeer peer(address());
  std::string requests;
  for (int i = 0; i < 20; ++i)
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  ASSERT_TRUE(peer.write(requests));
  for (int i = 0; i < 20; ++i) {
    const auto answer = peer.answer();
    ASSERT_TRUE(answer) << i;
    EXPECT_NE(answer->body.find("GET /" + std::to_string(i) + " ?"), std::string::npos);
  }
}

TEST_F(HttpServerTest, RefusesWhatIsNoRequest) {
  start_echo({.header_bytes = 1000, .body_bytes = 100});
  const std::string head = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  EXPECT_EQ(status_of("\x16\x03\x01\x02\x00\x01\r\n\r\n"), 400) << "TLS";
  EXPECT_EQ(status_of("GET\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/9.9\r\n\r\n"), 400);
  EXPECT_EQ(status_of(head + "Host: other\r\n\r\n"), 400) << "twice";
  EXPECT_EQ(status_of(head + "X: 1\r\nx: 2\r\n\r\n"), 400) << "in either case";
  EXPECT_EQ(status_of(head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  for (const char* coding : {"chunked", "identity", "xchunked", "gzip, chunked"})
    EXPECT_EQ(status_of(head + "Transfer-Encoding: " + coding + "\r\n\r\n"), 501) << coding;
  EXPECT_EQ(status_of(head + "Content-Length: 3\r\nTransfer-Encoding: xchunked\r\n\r\nabc"), 400);
  EXPECT_EQ(status_of(head + "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"), 417);
  EXPECT_EQ(status_of(head + "Content-Length: many\r\n\r\n"), 400);
  EXPECT_EQ(status_of(head + "X: " + std::string(1000, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(status_of(head + "Content-Length: 101\r\n\r\n"), 413);
  EXPECT_EQ(status_of(head + "Content-Length: 100\r\n\r\n" + std::string(100, 'x')), 201);
  EXPECT_EQ(status_of(head + "\r\n"), 201) << "it goes on";
}

// A body would be taken for the next answer.
TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  start_echo();
  HttpPeer peer(address());
  const auto head = peer.ask("HEAD", "/");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->body, "");
  const auto next = peer.ask("GET", "/next");
  ASSERT_TRUE(next);
  EXPECT_NE(next->body.find("GET /next ?"), std::string::npos);
}

TEST_F(HttpServerTest, EndsConnectionsThatSayNothing) {
  start_echo({.read_within = 100ms});
  HttpPeer silent(address());
  HttpPeer slow(address());
  ASSERT_TRUE(slow.write("GET / HTTP/1.1\r\nHo"));
  EXPECT_TRUE(silent.is_closed_within(20s));
  EXPECT_TRUE(slow.is_closed_within(20s));
}

TEST_F(HttpServerTest, ClosesMoreConnectionsThanItMayHave) {
  start_echo({.connections = 3});
  std::vector<std::unique_ptr<HttpPeer>> peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(std::make_unique<HttpPeer>(address()));
    ASSERT_TRUE(peers.back()->ask("GET", "/"));
  }
  HttpPeer one_more(address());
  EXPECT_TRUE(one_more.is_closed_within(20s));
  ASSERT_TRUE(peers[1]->ask("GET", "/")) << "those that are there stay";
  peers[0]->close();
  // It is bounded by the peer's patience; the server has to notice that it was left.
  bool is_let_in = false;
  for (int i = 0; i < 1000 && !is_let_in; ++i) {
    HttpPeer next(address());
    is_let_in = next.ask("GET", "/").has_value();
  }
  EXPECT_TRUE(is_let_in);
}

TEST_F(HttpServerTest, RepliesComeLaterFromOtherThreads) {
  std::vector<std::thread> threads;
  start([&](HttpRequest&& request, HttpReply reply) {
    threads.emplace_back([reply = std::move(reply), path = request.path] {
      reply({200, "text/plain", path});
      reply({200, "text/plain", "again"});
    });
  });
  HttpPeer peer(address());
  for (const char* path : {"/a", "/b", "/c"}) {
    const auto answer = peer.ask("GET", path);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, path) << "a second reply is none to the next request";
  }
  server.reset();
  for (std::thread& each : threads) each.join();
}

TEST_F(HttpServerTest, SaysThatNoReplyComes) {
  std::mutex replies_mutex;
  std::vector<HttpReply> replies;
  start(
      [&](HttpRequest&& request, const HttpReply& reply) {
        const std::lock_guard lock(replies_mutex);
        replies.push_back(reply);
        if (request.path == "/now") reply({200, "text/plain", "now"});
      },
      {.reply_within = 100ms});
  HttpPeer peer(address());
  const auto late = peer.ask("GET", "/late");
  ASSERT_TRUE(late);
  EXPECT_EQ(late->status, 503);
  replies[0]({200, "text/plain", "too late"});
  const auto now = peer.ask("GET", "/now");
  ASSERT_TRUE(now);
  EXPECT_EQ(now->body, "now") << "what comes too late answers nothing else";
  server.reset();
  for (const HttpReply& each : replies) each({200, "text/plain", "after its end"});
}

TEST_F(HttpServerTest, AnswersThoughTheHandlerThrows) {
  start([](HttpRequest&&, const HttpReply&) { throw std::runtime_error("no disk"); });
  HttpPeer peer(address());
  const auto answer = peer.ask("GET", "/");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 500);
  EXPECT_EQ(answer->body.find("no disk"), std::string::npos) << "that is for the log";
  EXPECT_NE(log().find("no disk"), std::string::npos);
}

TEST_F(HttpServerTest, EndsWhileItIsAsked) {
  for (int round = 0; round < 20; ++round) {
    start_echo();
    std::atomic<bool> is_asked = false;
    std::thread asking([&, where = address()] {
      HttpPeer peer(where);
      while (peer.ask("GET", "/")) is_asked = true;
      is_asked = true;
    });
    while (!is_asked) std::this_thread::yield();  // bounded by the peer's patience
    server.reset();
    asking.join();
  }
}

TEST_F(HttpServerTest, ServesThisMachineAlone) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:80", "127.0.0.2:0"})
    EXPECT_EQ(refusal(address), ErrorCode::usage) << address;
  for (const char* address : {"", "7680", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1",
                              "127.0.0.1:65536", "head:7680", "tcp://127.0.0.1:1", "127.0.0.1:0 "})
    EXPECT_EQ(refusal(address), ErrorCode::usage) << address;
  start_echo();
  EXPECT_EQ(refusal(address()), ErrorCode::io) << "it is in use";
  const HttpServer by_name(
      "localhost:0", {}, [](auto&&...) {}, [](const auto&) {});
  EXPECT_TRUE(by_name.address().starts_with("127.0.0.1:")) << by_name.address();
}

}  // namespace
}  // namespace muster::http
