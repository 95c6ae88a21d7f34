#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <muster/base/version.hpp>
#include <muster/jobs/manifest.hpp>

namespace muster::jobs {
namespace {

using Json = nlohmann::json;

Plan plan() {
  Plan out;
  out.info.name = "wordcount";
  out.plugin_name = "text";
  out.plugin_version = "1.2";
  out.task.settings = {{"tokens", "letters"}, {"odd \"name\"", "\n"}};
  out.files = {{"/a", "a", 10}, {"/b", "b", 20}};
  out.input_bytes = 30;
  return out;
}

JobData data() {
  JobData out;
  out.records_mapped = 77;
  out.parts = {{3, 100, 0xab}, {0, 0, 0}, {4, UINT64_MAX - 100, UINT64_MAX}};
  return out;
}

TEST(Manifest, holds_job_input_parts_and_totals) {
  const std::string text = make_manifest(plan(), data());
  EXPECT_EQ(text.back(), '\n');
  const Json expected = {
      {"schema", 1},
      {"muster", version_text},
      {"task", "wordcount"},
      {"plugin", {{"name", "text"}, {"version", "1.2"}}},
      {"settings", {{"tokens", "letters"}, {"odd \"name\"", "\n"}}},
      {"input", {{"files", 2}, {"bytes", 30}}},
      {"records_mapped", 77},
      {"records", 7},
      {"bytes", UINT64_MAX},
      {"parts",
       {{{"name", "part-00000"}, {"records", 3}, {"bytes", 100}, {"xxh3_64", "00000000000000ab"}},
        {{"name", "part-00001"}, {"records", 0}, {"bytes", 0}, {"xxh3_64", "0000000000000000"}},
        {{"name", "part-00002"},
         {"records", 4},
         {"bytes", UINT64_MAX - 100},
         {"xxh3_64", "ffffffffffffffff"}}}}};
  EXPECT_EQ(Json::parse(text), expected) << text;
}

TEST(Manifest, starts_with_its_schema) {
  const std::string text = make_manifest(plan(), data());
  EXPECT_EQ(text.find("\"schema\""), text.find('"'));
}

TEST(Manifest, is_json_even_without_parts_and_settings_or_with_odd_bytes) {
  Plan odd = plan();
  odd.task.settings = {{"bytes\xff", "\x80\xfe"}};
  const Json parsed = Json::parse(make_manifest(odd, JobData{}));
  EXPECT_EQ(parsed.at("settings").size(), 1U);
  EXPECT_TRUE(parsed.at("parts").is_array());
  EXPECT_TRUE(parsed.at("parts").empty());
  odd.task.settings.clear();
  EXPECT_TRUE(Json::parse(make_manifest(odd, JobData{})).at("settings").is_object());
}

}  // namespace
}  // namespace muster::jobs
