#include <chrono>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>
#include <muster/cluster/code/sha256.hpp>
#include <muster/cluster/coordinator/code_relay.hpp>

namespace muster::cluster {
namespace {

using namespace std::chrono_literals;

constexpr wire::SessionId worker{9};

class CodeRelayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::uint64_t each : {1U, 2U}) relay.add_client(wire::SessionId{each});
    relay.on(worker, wire::CodeWanted{digest, 0}, out);
  }
  /// Who is asked for the file, since this was called last.
  std::vector<std::uint64_t> asked() {
    std::vector<std::uint64_t> who;
    for (const auto& [to, message] : std::exchange(out, {})) {
      if (std::holds_alternative<wire::CodeWanted>(message)) who.push_back(to.value);
    }
    return who;
  }
  void pass(Duration time) {
    now += time;
    relay.expire(now, out);
  }
  using Who = std::vector<std::uint64_t>;

  const std::string file = "a program";
  const wire::Digest digest = sha256(file);
  TempDir directory{default_temp_parent()};
  CodeStore store{directory.path()};
  CodeRelay relay{store};
  CodeRelay::Sends out;
  TimePoint now{};
};

TEST_F(CodeRelayTest, passes_over_a_client_that_gives_nothing) {
  EXPECT_EQ(asked(), Who{1});
  pass(0s);
  EXPECT_EQ(relay.next_deadline(), now + CodeRelay::answer_within);
  pass(CodeRelay::answer_within - 1ms);
  EXPECT_EQ(asked(), Who{});
  pass(1ms);
  EXPECT_EQ(asked(), Who{2});
  const wire::CodePiece piece{digest, file.size(), 0, file};
  relay.on(wire::SessionId{1}, piece, out);
  EXPECT_TRUE(out.empty()) << "it is not asked any more";
  relay.on(wire::SessionId{2}, piece, out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out.front().first, worker);
  EXPECT_EQ(std::get<wire::CodePiece>(out.front().second).bytes, file);
  EXPECT_FALSE(relay.next_deadline().has_value());
}

TEST_F(CodeRelayTest, gives_up_when_nobody_gives_anything) {
  for (int client = 0; client < 2; ++client) {
    pass(0s);
    pass(CodeRelay::answer_within);
  }
  ASSERT_FALSE(out.empty());
  EXPECT_EQ(out.back().first, worker);
  EXPECT_TRUE(std::holds_alternative<wire::CodeMissing>(out.back().second));
  EXPECT_FALSE(relay.is_awaited(digest));
}

TEST_F(CodeRelayTest, does_not_hurry_a_client_that_gives_piece_by_piece) {
  for (std::size_t at = 0; at + 1 < file.size(); ++at) {
    EXPECT_EQ(asked(), Who{1});
    pass(0s);
    pass(CodeRelay::answer_within - 1ms);
    relay.on(wire::SessionId{1}, wire::CodePiece{digest, file.size(), at, file.substr(at, 1)}, out);
  }
  EXPECT_EQ(asked(), Who{1});
  EXPECT_TRUE(relay.is_awaited(digest));
}

}  // namespace
}  // namespace muster::cluster
