#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>
#include <muster/dashboard/dashboard.hpp>

#include "support/http_peer.hpp"

namespace muster::dashboard {
namespace {

using namespace std::chrono_literals;
using test::HttpPeer;

class DashboardTest : public ::testing::Test {
 protected:
  using Answered = std::function<void(cluster::Answer)>;

  DashboardOptions options() const {
    return {.address = "127.0.0.1:0",
            .hosts = {},
            .token = directory.path() / "http-token",
            .limits = {.reply_within = 100ms}};
  }
  TempDir directory{default_temp_parent()};
};

TEST_F(DashboardTest, SaysThatACoordinatorDoesNotTurn) {
  const Dashboard dashboard(options(), [](const cluster::Question&, const Answered&) {});
  HttpPeer peer(dashboard.address());
  const auto health = peer.ask("GET", "/healthz");
  ASSERT_TRUE(health);
  EXPECT_EQ(health->status, 503);
  const auto page = peer.ask("GET", "/");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200) << "nobody is asked for that";
}

TEST_F(DashboardTest, RefusesInJsonAndAsksNobody) {
  int asked = 0;
  const Dashboard dashboard(options(), [&](const cluster::Question&, const Answered&) { ++asked; });
  HttpPeer peer(dashboard.address());
  const auto refused = peer.ask("GET", "/api/v1/jobs");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
  EXPECT_EQ(refused->headers.at("content-type"), "application/json");
  EXPECT_EQ(refused->headers.at("www-authenticate"), "Bearer realm=\"muster\"");
  EXPECT_NE(refused->body.find(R"("hint":"send 'Authorization: Bearer TOKEN')"), std::string::npos)
      << refused->body;
  EXPECT_EQ(asked, 0);
}

TEST_F(DashboardTest, EachAnswerIsGuarded) {
  const Dashboard dashboard(options(), [](const cluster::Question&, const Answered& answered) {
    answered(cluster::CoordinatorNumbers());
  });
  HttpPeer peer(dashboard.address());
  for (const char* path : {"/", "/healthz", "/api/v1/jobs", "/nothing"}) {
    const auto answer = peer.ask("GET", path);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->headers.at("x-content-type-options"), "nosniff") << path;
    EXPECT_EQ(answer->headers.at("cache-control"), "no-store") << path;
    EXPECT_TRUE(answer->headers.at("content-security-policy").starts_with("default-src 'none'"));
  }
}

}  // namespace
}  // namespace muster::dashboard
