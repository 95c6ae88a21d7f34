// The coordinator over HTTP, as browsers, scripts and Prometheus meet it.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

#include "cluster_jobs.hpp"
#include "square.hpp"
#include "support/http_peer.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;
using test::HttpAnswer;
using test::HttpPeer;

class OverHttp : public ClusterJobs {
 protected:
  void start(Options options = {}) {
    options.insert(options.end(), {"--http", "127.0.0.1:0", "--state", path("state")});
    start_coordinator(options);
    const std::string line = await_line(coordinator(), "serves http://");
    const auto at = line.find("127.0.0.1:");
    http_ = line.substr(at, line.find('/', at) - at);
    token_ = read(path("state") / "http-token");
    token_.pop_back();
  }
  std::string authorization() const { return "Authorization: Bearer " + token_ + "\r\n"; }
  HttpAnswer ask(const std::string& method, const std::string& path, const std::string& headers,
                 const std::string& body = {}) const {
    HttpPeer peer(http_);
    const auto answer = peer.ask(method, path, headers, body);
    EXPECT_TRUE(answer) << path;
    return answer.value_or(HttpAnswer());
  }
  HttpAnswer get(const std::string& path) const { return ask("GET", path, authorization()); }
  /// The number behind the name of a series.
  std::string metric(const std::string& name) const {
    const std::string text = "\n" + get("/metrics").body;
    const auto at = text.find("\n" + name + " ");
    if (at == std::string::npos) return "none";
    const auto begin = at + name.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  std::string http_;
  std::string token_;
};

TEST_F(OverHttp, TellsOfCallsAndWorkers) {
  start();
  start_worker("node1", {"--slots", "3"});
  ASSERT_NE(await_line(coordinator(), "'node1'"), "");
  ClusterExecutor cluster(address());
  std::vector<Future<int>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(cluster.submit(square, i));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(futures[std::size_t(i)].result(60s), i * i);
  EXPECT_EQ(metric("muster_calls_total"), "20");
  EXPECT_EQ(metric("muster_call_results_total{result=\"value\"}"), "20");
  EXPECT_EQ(metric("muster_calls_open"), "0");
  EXPECT_EQ(metric("muster_workers{state=\"open\"}"), "1");
  EXPECT_EQ(metric("muster_worker_slots"), "3");
  EXPECT_EQ(metric("muster_clients"), "1");
  const HttpAnswer workers = get("/api/v1/workers");
  EXPECT_EQ(workers.status, 200);
  EXPECT_EQ(workers.headers.at("content-type"), "application/json");
  EXPECT_NE(workers.body.find(R"("name":"node1","state":"open","slots":3)"), std::string::npos)
      << workers.body;
  EXPECT_EQ(on_cluster({"workers", "--json"}).out, workers.body) << "the same for scripts";
}

TEST_F(OverHttp, TellsOfJobs) {
  start();
  start_worker("node1");
  write_slow_lines(100);
  const std::string job = submit(slow({"-o", "there"}));
  expect_success(job);
  const HttpAnswer state = get("/api/v1/jobs/" + job);
  EXPECT_NE(state.body.find(R"("state":"succeeded")"), std::string::npos) << state.body;
  EXPECT_EQ(on_cluster({"status", job, "--json"}).out, state.body);
  EXPECT_EQ(on_cluster({"jobs", "--json"}).out, get("/api/v1/jobs").body);
  EXPECT_EQ(metric("muster_jobs_total{result=\"succeeded\"}"), "1");
  const HttpAnswer log = get("/api/v1/jobs/" + job + "/log");
  EXPECT_NE(log.body.find("it has succeeded"), std::string::npos) << log.body;
  EXPECT_EQ(get("/api/v1/jobs/99").status, 404);
}

TEST_F(OverHttp, CancelsJobsAndDrainsWorkers) {
  start();
  Running& worker = start_worker("node1");
  write_slow_lines(100'000);
  const std::string job = submit(slow({"-o", "there"}));
  ASSERT_TRUE(has_done(job, 2));
  EXPECT_EQ(ask("POST", "/api/v1/jobs/" + job + "/cancel", authorization()).status, 200);
  EXPECT_TRUE(eventually([&] {
    return get("/api/v1/jobs/" + job).body.find(R"("state":"cancelled")") != std::string::npos;
  }));
  EXPECT_EQ(metric("muster_jobs_total{result=\"cancelled\"}"), "1");
  const std::string json = "Content-Type: application/json\r\n" + authorization();
  EXPECT_EQ(ask("POST", "/api/v1/drain", json, R"({"worker": "nobody"})").status, 404);
  EXPECT_FALSE(worker.ended());
  EXPECT_EQ(ask("POST", "/api/v1/drain", json, R"({"worker": "node1"})").status, 200);
  EXPECT_TRUE(eventually([&] { return worker.ended(); }));
  EXPECT_NE(await_line(coordinator(), "'http' has asked for it"), "");
}

TEST_F(OverHttp, ShowsNothingWithoutTheToken) {
  start();
  for (const char* path : {"/metrics", "/api/v1/jobs", "/api/v1/workers", "/api/v1/status",
                           "/api/v1/jobs/1", "/api/v1/jobs/1/log", "/nothing"}) {
    EXPECT_EQ(ask("GET", path, "").status, 401) << path;
    EXPECT_EQ(ask("GET", path, "Authorization: Bearer " + std::string(64, '0') + "\r\n").status,
              401)
        << path;
  }
  EXPECT_EQ(ask("POST", "/api/v1/jobs/1/cancel", "").status, 401);
  EXPECT_EQ(ask("GET", "/healthz", "").body, "ok\n");
  const HttpAnswer page = ask("GET", "/", "");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body.find(token_), std::string::npos);
  EXPECT_NE(page.headers.at("content-security-policy").find("default-src 'none'"),
            std::string::npos);
  EXPECT_EQ(coordinator().err().find(token_), std::string::npos) << "nor in its log";
}

TEST_F(OverHttp, IsNotForPagesOfOthers) {
  start({"--http-host", "head.example"});
  EXPECT_EQ(ask("GET", "/api/v1/jobs", "Host: evil.example\r\n" + authorization()).status, 403);
  EXPECT_EQ(ask("GET", "/", "Host: evil.example\r\n").status, 403);
  EXPECT_EQ(ask("GET", "/api/v1/jobs", "Host: head.example\r\n" + authorization()).status, 200);
  EXPECT_EQ(
      ask("POST", "/api/v1/jobs/1/cancel", "Origin: http://evil.example\r\n" + authorization())
          .status,
      403);
  EXPECT_EQ(ask("GET", "/api/v1/jobs", "Sec-Fetch-Site: cross-site\r\n" + authorization()).status,
            403);
}

TEST_F(OverHttp, ItsTokenOutlivesTheCoordinator) {
  start();
  const std::string before = token_;
  kill(coordinator_slot(), SIGKILL);
  start();
  EXPECT_EQ(token_, before);
  EXPECT_EQ(get("/api/v1/status").status, 200);
}

TEST_F(OverHttp, EndsWithItsCoordinator) {
  start();
  HttpPeer peer(http_);
  const auto answer = peer.ask("GET", "/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  coordinator().send(SIGTERM);
  EXPECT_EQ(coordinator().wait().exit_code, 0);
  EXPECT_FALSE(peer.ask("GET", "/healthz"));
  EXPECT_FALSE(HttpPeer(http_).connected());
}

// An order that was confirmed is kept, whatever happens then.
TEST_F(OverHttp, WhatIsSaidIsTrueAfterAKill) {
  start();
  start_worker("node1");
  write_slow_lines(100'000);
  const std::string job = submit(slow({"-o", "there"}));
  ASSERT_TRUE(has_done(job, 2));
  HttpPeer peer(http_);
  const auto done = peer.ask("POST", "/api/v1/jobs/" + job + "/cancel", authorization());
  kill(coordinator_slot(), SIGKILL);
  ASSERT_TRUE(done);
  ASSERT_EQ(done->status, 200);
  start();
  EXPECT_NE(get("/api/v1/jobs/" + job).body.find(R"("state":"cancelled")"), std::string::npos);
}

TEST_F(OverHttp, RefusesAddressesThatOthersReach) {
  for (const auto& [address, what] : {std::pair{"0.0.0.0:0", "can be reached from other machines"},
                                      std::pair{"here", "is no address to serve HTTP at"}}) {
    const Finished end =
        run(command("muster-coordinator",
                    {"--bind", "tcp://127.0.0.1:*", "--state", path("state"), "--http", address}));
    EXPECT_EQ(end.exit_code, 2) << end.err;
    EXPECT_NE(end.err.find(what), std::string::npos) << end.err;
  }
}

}  // namespace
}  // namespace muster::testing
