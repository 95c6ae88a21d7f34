#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <muster/base/error.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/http/http_access.hpp>

namespace muster::http {
namespace {

const HttpAccess access{{"head.example"}, std::string(64, 'a')};

HttpRequest request(std::map<std::string, std::string> headers) {
  HttpRequest out;
  out.method = "GET";
  out.path = "/";
  out.headers = std::move(headers);
  return out;
}

/// 0: it may be answered.
unsigned refusal(std::map<std::string, std::string> headers, bool needs_token = false) {
  const auto refused = refusal_of(request(std::move(headers)), access, needs_token);
  return refused ? refused->status : 0;
}

TEST(HttpAccess, KnowsItsOwnNamesAtAnyPort) {
  for (const char* host : {"localhost", "localhost:7680", "127.0.0.1:1", "[::1]", "[::1]:7680",
                           "LOCALHOST:99", "head.example", "Head.Example:443"})
    EXPECT_EQ(refusal({{"host", host}}), 0U) << host;
}

TEST(HttpAccess, RefusesEveryOtherName) {
  for (const char* host : {"", "evil.example", "evil.example:7680", "localhost.evil.example",
                           "127.0.0.1.evil.example", "127.0.0.2", "0.0.0.0", "[::]", ":7680",
                           "localhost:7680:7680", "localhost:x", "head.example.", "[::1", "::1"})
    EXPECT_EQ(refusal({{"host", host}}), 403U) << host;
  EXPECT_EQ(refusal({}), 403U);
}

TEST(HttpAccess, RefusesPagesOfOtherSites) {
  const auto from = [](const char* name, const char* value) {
    return refusal({{"host", "localhost:7680"}, {name, value}});
  };
  EXPECT_EQ(from("origin", "http://localhost:7680"), 0U);
  EXPECT_EQ(from("origin", "https://localhost:7680"), 0U) << "through a proxy";
  EXPECT_EQ(from("origin", "http://localhost:8888"), 403U) << "another server of this machine";
  EXPECT_EQ(from("origin", "http://evil.example"), 403U);
  EXPECT_EQ(from("origin", "null"), 403U);
  EXPECT_EQ(from("sec-fetch-site", "none"), 0U) << "typed by somebody";
  EXPECT_EQ(from("sec-fetch-site", "same-origin"), 0U);
  EXPECT_EQ(from("sec-fetch-site", "same-site"), 403U) << "another port of this machine";
  EXPECT_EQ(from("sec-fetch-site", "cross-site"), 403U);
}

TEST(HttpAccess, WantsTheWholeToken) {
  const auto with = [](const std::string& value) {
    return refusal({{"host", "localhost"}, {"authorization", value}}, true);
  };
  const std::string& token = access.token;
  EXPECT_EQ(with("Bearer " + token), 0U);
  EXPECT_EQ(with("bearer " + token), 0U) << "schemes have no case";
  EXPECT_EQ(with("Bearer " + token.substr(1)), 401U);
  EXPECT_EQ(with("Bearer " + token + "a"), 401U);
  EXPECT_EQ(with("Bearer b" + token.substr(1)), 401U);
  EXPECT_EQ(with("Bearer " + token.substr(1) + "b"), 401U);
  EXPECT_EQ(with("Basic  " + token), 401U);
  EXPECT_EQ(with(token), 401U);
  EXPECT_EQ(with(""), 401U);
  EXPECT_EQ(refusal({{"host", "localhost"}}, true), 401U);
  EXPECT_EQ(refusal({{"host", "localhost"}}, false), 0U);
}

TEST(HttpAccess, EachRefusalHasARemedy) {
  const auto remedy_of = [](std::map<std::string, std::string> headers) {
    const auto refused = refusal_of(request(std::move(headers)), access, true);
    return refused ? refused->hint : "";
  };
  EXPECT_NE(remedy_of({{"host", "other"}}).find("--http-host"), std::string::npos);
  EXPECT_NE(remedy_of({{"host", "localhost"}, {"origin", "https://other"}}).find("--http-host"),
            std::string::npos);
  EXPECT_NE(remedy_of({{"host", "localhost"}}).find("Authorization: Bearer"), std::string::npos);
}

// The proxy asks for 127.0.0.1, the browser's page is of the proxy.
TEST(HttpAccess, TakesPagesOfAProxyThatIsKnown) {
  const auto from = [](const char* origin) {
    return refusal({{"host", "127.0.0.1:7680"}, {"origin", origin}});
  };
  EXPECT_EQ(from("https://head.example"), 0U);
  EXPECT_EQ(from("https://head.example:8443"), 0U);
  EXPECT_EQ(from("http://head.example"), 403U) << "without TLS anybody on the way may be it";
  EXPECT_EQ(from("https://head.example.evil.example"), 403U);
  const HttpAccess with_port{{"head.example:8443"}, access.token};
  EXPECT_FALSE(refusal_of(request({{"host", "head.example"}}), with_port, false));
}

TEST(HttpAccess, LetsNobodyInWithoutAToken) {
  const auto refused = refusal_of(request({{"host", "localhost"}, {"authorization", "Bearer "}}),
                                  HttpAccess{}, true);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401U);
}

class TokenFile : public ::testing::Test {
 protected:
  ErrorCode refusal_of_file() const {
    try {
      token_in(file);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(file.string()), std::string::npos) << error.what();
      return error.code();
    }
    return ErrorCode::broken;  // stands for: taken
  }
  void write(const std::string& text) const { std::ofstream(file, std::ios::trunc) << text; }

  TempDir directory{default_temp_parent()};
  std::filesystem::path file = directory.path() / "http-token";
};

TEST_F(TokenFile, IsMadeOnceForItsOwnerAlone) {
  const std::string token = token_in(file);
  EXPECT_EQ(token.size(), 64U);
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(token_in(file), token);
  std::filesystem::remove(file);
  EXPECT_NE(token_in(file), token);
}

TEST_F(TokenFile, ThatOthersMayReadIsRefused) {
  token_in(file);
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  EXPECT_EQ(refusal_of_file(), ErrorCode::usage);
}

TEST_F(TokenFile, ThatHoldsSomethingElseIsRefused) {
  token_in(file);
  write("");
  EXPECT_EQ(refusal_of_file(), ErrorCode::usage);
  write("secret\n");
  EXPECT_EQ(refusal_of_file(), ErrorCode::usage);
  write(std::string(63, 'a') + "x\n");
  EXPECT_EQ(refusal_of_file(), ErrorCode::usage);
  write(std::string(1000, 'a'));
  EXPECT_EQ(refusal_of_file(), ErrorCode::limit);
  file = directory.path() / "nowhere" / "http-token";
  EXPECT_EQ(refusal_of_file(), ErrorCode::io);
}

}  // namespace
}  // namespace muster::http
