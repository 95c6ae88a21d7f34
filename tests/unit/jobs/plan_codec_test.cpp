#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/jobs/plan_codec.hpp>

namespace muster::jobs {
namespace {

Plan a_plan() {
  Plan plan;
  plan.task = {"/plugins/wordcount.so", "wordcount", {{"case", "lower"}}};
  plan.info.name = "wordcount";
  plan.info.line_numbers = true;
  plan.plugin_name = "counting";
  plan.plugin_version = "1.2";
  plan.files = {{"/data/a", "a", 100}, {"/data/b", "b", 50}};
  plan.chunks = {{{0, 0, 60}}, {{0, 60, 40}, {1, 0, 50}}};
  plan.input_bytes = 150;
  plan.partitions = 3;
  plan.workers = 4;
  plan.memory_bytes = 1U << 20U;
  return plan;
}

TEST(PlanCodec, ReturnsWhatWasPutIn) {
  const Plan plan = a_plan();
  const Plan got = decode_plan(encode(plan));
  EXPECT_EQ(got.task.plugin, plan.task.plugin);
  EXPECT_EQ(got.task.settings[0].value, "lower");
  EXPECT_EQ(got.info.name, "wordcount");
  EXPECT_TRUE(got.info.line_numbers);
  EXPECT_EQ(got.plugin_version, "1.2");
  EXPECT_EQ(got.files[1].path, "/data/b");
  EXPECT_EQ(got.chunks, plan.chunks);
  EXPECT_EQ(got.input_bytes, 150U);
  EXPECT_EQ(got.partitions, 3U);
  EXPECT_EQ(got.memory_bytes, plan.memory_bytes);
  EXPECT_EQ(encode(got), encode(plan));
}

TEST(PlanCodec, RefusesEveryPrefix) {
  const Bytes bytes = encode(a_plan());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(decode_plan(std::string_view(bytes).substr(0, size)), Error) << size;
}

TEST(PlanCodec, RefusesWhatCannotBe) {
  const auto refused = [](auto change) {
    Plan plan = a_plan();
    change(plan);
    EXPECT_THROW(decode_plan(encode(plan)), Error);
  };
  refused([](Plan& plan) { plan.chunks[0][0].file = 2; });
  refused([](Plan& plan) { plan.chunks[0][0].length = 101; });
  refused([](Plan& plan) { plan.chunks[1][1].offset = ~std::uint64_t{0}; });
  refused([](Plan& plan) { plan.chunks[0].clear(); });
  refused([](Plan& plan) { plan.partitions = 0; });
}

}  // namespace
}  // namespace muster::jobs
