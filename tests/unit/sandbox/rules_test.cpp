#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/sandbox/sandbox_rules.hpp>

namespace muster::sandbox {
namespace {

TEST(SandboxRulesTest, TravelWhole) {
  const SandboxRules rules{6, true, {"/a", "/b"}, {"/c"}};
  const Bytes bytes = encode(rules);
  EXPECT_EQ(decode_sandbox_rules(bytes), rules);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(decode_sandbox_rules(std::string_view(bytes).substr(0, size)), Error) << size;
}

TEST(SandboxRulesTest, ModesHaveNames) {
  EXPECT_EQ(parse_sandbox_mode("off"), SandboxMode::off);
  EXPECT_EQ(parse_sandbox_mode("best-effort"), SandboxMode::best_effort);
  EXPECT_EQ(parse_sandbox_mode("require"), SandboxMode::require);
  EXPECT_THROW(parse_sandbox_mode("on"), Error);
}

}  // namespace
}  // namespace muster::sandbox
