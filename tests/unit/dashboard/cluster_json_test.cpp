#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <muster/base/error.hpp>
#include <muster/dashboard/cluster_json.hpp>

namespace muster::dashboard {
namespace {

using Json = nlohmann::json;

wire::JobState job() {
  wire::JobState out;
  out.job = 3;
  out.name = "mine";
  out.task = "wordcount";
  out.owner = "desk";
  out.output = "/data/out";
  out.submitted = 1'000'000;
  out.input_bytes = std::uint64_t{1} << 60U;
  out.stages = {{"map", 10, 4, 1000, 400, 2, 1'500'000'000}};
  return out;
}

TEST(ClusterJson, TellsOfAJob) {
  const Json got = Json::parse(job_json(job()));
  EXPECT_EQ(got.at("schema"), 1);
  EXPECT_EQ(got.at("job"), 3);
  EXPECT_EQ(got.at("state"), "running");
  EXPECT_EQ(got.at("output"), "/data/out");
  EXPECT_EQ(got.at("input_bytes"), std::uint64_t{1} << 60U);
  EXPECT_TRUE(got.at("ended").is_null()) << "it has not";
  EXPECT_FALSE(got.contains("error"));
  const Json stage = got.at("stages").at(0);
  EXPECT_EQ(stage.at("chunks"), 10);
  EXPECT_EQ(stage.at("chunks_done"), 4);
  EXPECT_EQ(stage.at("retries"), 2);
  EXPECT_DOUBLE_EQ(stage.at("elapsed_s").get<double>(), 1.5);
}

TEST(ClusterJson, TellsWhyAJobFailed) {
  wire::JobState failed = job();
  failed.phase = wire::JobState::Phase::failed;
  failed.ended = 1'000'060;
  failed.code = static_cast<std::uint8_t>(ErrorCode::task);
  failed.message = "chunk 3 of stage 'map' failed";
  failed.hint = "look at its input";
  const Json got = Json::parse(job_json(failed));
  EXPECT_EQ(got.at("state"), "failed");
  EXPECT_EQ(got.at("ended"), 1'000'060);
  EXPECT_EQ(got.at("error").at("code"), "task");
  EXPECT_EQ(got.at("error").at("message"), "chunk 3 of stage 'map' failed");
  EXPECT_EQ(got.at("error").at("hint"), "look at its input");
}

TEST(ClusterJson, IsOneLineWhateverNamesHold) {
  wire::JobState odd = job();
  odd.task = "a\nb\"c\\</script>\xff\x01";
  odd.owner = std::string("\0x", 2);
  const std::string text = jobs_json({odd, job()});
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const Json got = Json::parse(text);
  EXPECT_EQ(got.at("jobs").size(), 2U);
  EXPECT_EQ(got.at("jobs").at(0).at("task"), "a\nb\"c\\</script>\xef\xbf\xbd\x01");
  EXPECT_EQ(got.at("jobs").at(0).at("owner"), std::string("\0x", 2));
}

TEST(ClusterJson, TellsOfWorkers) {
  wire::WorkerRows rows;
  rows.open_calls = 5;
  rows.workers.push_back({"node1", "host1", "1.0.0", "open", 17, 4, 3, "landlock"});
  const Json got = Json::parse(workers_json(rows));
  EXPECT_EQ(got.at("open_calls"), 5);
  const Json expected = {
      {"name", "node1"}, {"host", "host1"}, {"version", "1.0.0"}, {"state", "open"},
      {"pid", 17},       {"slots", 4},      {"attempts", 3},      {"sandbox", "landlock"}};
  EXPECT_EQ(got.at("workers").at(0), expected);
}

TEST(ClusterJson, TellsOfALog) {
  const Json got = Json::parse(log_json(3, {0, 12, {"one", "two"}}));
  EXPECT_EQ(got.at("job"), 3);
  EXPECT_EQ(got.at("next"), 12);
  EXPECT_EQ(got.at("lines"), (std::vector<std::string>{"one", "two"}));
}

}  // namespace
}  // namespace muster::dashboard
