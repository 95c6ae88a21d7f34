// What a run says of itself: --json, --quiet, --dry-run, and plain text.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

using Json = nlohmann::json;

class Report : public MusterTest {
 protected:
  void SetUp() override { write("text", "b a b\nc\n"); }

  // All lines, each of which must be an event.
  static std::vector<Json> events(const std::string& text) {
    std::vector<Json> out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      out.push_back(Json::parse(text.substr(at, end - at), nullptr, false));
      EXPECT_TRUE(out.back().is_object() && out.back().value("schema", 0) == 1 &&
                  out.back().contains("event"))
          << text.substr(at, end - at);
      at = end + 1;
    }
    return out;
  }
};

TEST_F(Report, JsonGoesToStandardErrorIfTheResultIsOnStandardOutput) {
  const Finished result = muster({"run", "wordcount", "--json", "text"});
  expect_ok(result);
  EXPECT_EQ(result.out, "a\t1\nb\t2\nc\t1\n");
  const std::vector<Json> all = events(result.err);
  ASSERT_GE(all.size(), 2U);
  EXPECT_EQ(all.front()["event"], "planned");
  EXPECT_EQ(all.front()["files"], 1);
  EXPECT_EQ(all.front()["input_bytes"], 8);
  const Json& end = all.back();
  EXPECT_EQ(end["event"], "summary");
  EXPECT_EQ(end["outcome"], "succeeded");
  EXPECT_EQ(end["exit_code"], 0);
  EXPECT_EQ(end["records_mapped"], 4);
  EXPECT_EQ(end["records"], 3);
  EXPECT_EQ(end["result_bytes"], result.out.size());
  EXPECT_EQ(end["retries"], 0);
}

TEST_F(Report, JsonGoesToStandardOutputWithADirectory) {
  const Finished result =
      muster({"run", "wordcount", "--json", "text", "-o", "out", "--partitions", "3"});
  expect_ok(result);
  EXPECT_EQ(result.err, "");
  const Json end = events(result.out).back();
  EXPECT_EQ(end["event"], "summary");
  EXPECT_EQ(end["parts"], 3);
  EXPECT_EQ(end["output"], "out");
}

TEST_F(Report, TheLastJsonLineIsTheSummaryOfAFailedJob) {
  write("text", "BOOM\n");
  const std::vector<std::string> job = {"run",   plugin("faulty"), "--json",
                                        "--set", "fault=throw",    "text"};
  std::vector<std::string> with_output = job;
  with_output.insert(with_output.end(), {"-o", "out"});
  for (const std::string& stream : {muster(with_output).out, muster(job).err}) {
    const auto last = stream.rfind('\n', stream.size() - 2) + 1;
    const Json end = Json::parse(stream.substr(last), nullptr, false);
    ASSERT_TRUE(end.is_object()) << stream;
    EXPECT_EQ(end["event"], "summary");
    EXPECT_EQ(end["outcome"], "failed");
    EXPECT_EQ(end["exit_code"], 1);
    EXPECT_EQ(end["error"]["code"], "task");
  }
}

TEST_F(Report, QuietJsonIsTheSummaryAlone) {
  write("text", "b a b\n");
  const Finished result =
      muster({"run", "wordcount", "--json", "-q", "--chunk-size", "1", "text", "-o", "out"});
  EXPECT_EQ(result.exit_code, 0) << result.text();
  const std::vector<Json> all = events(result.out);
  ASSERT_EQ(all.size(), 1U) << result.out;
  EXPECT_EQ(all[0]["event"], "summary");
  EXPECT_EQ(all[0]["records"], 2);
}

TEST_F(Report, JsonToldOfUsageErrorsEndsWithASummaryToo) {
  const Finished result = muster({"run", "wordcount", "--json", "missing", "-o", "out"});
  EXPECT_EQ(result.exit_code, 2);
  const Json end = events(result.out).back();
  EXPECT_EQ(end["exit_code"], 2);
  EXPECT_EQ(end["error"]["code"], "usage");
}

TEST_F(Report, JsonToldOfAnOptionThatIsWrongIsASummary) {
  for (const char* wrong : {"--partitions=x", "-j0", "--chunk-size=0", "--set=x", "--frobnicate"}) {
    const Finished elsewhere = muster({"run", "wordcount", "--json", "text", wrong, "-o", "out"});
    const Finished here = muster({"run", "wordcount", "--json", "text", wrong});
    EXPECT_EQ(elsewhere.exit_code, 2) << elsewhere.text();
    EXPECT_EQ(here.exit_code, 2) << here.text();
    for (const std::string& stream : {elsewhere.out, here.err}) {
      const std::vector<Json> all = events(stream);
      ASSERT_EQ(all.size(), 1U) << wrong;
      EXPECT_EQ(all[0]["event"], "summary");
      EXPECT_EQ(all[0]["exit_code"], 2);
      EXPECT_EQ(all[0]["error"]["code"], "usage");
    }
  }
}

TEST_F(Report, JsonEndsWithASummaryIfTheReaderOfTheResultLeaves) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += fmt::format("word-{}\n", i);
  write("text", text);
  output_of(shell("\"$MUSTER\" run wordcount --json text 2> events | head -n 1"));
  const Json end = events(read(path("events"))).back();
  EXPECT_EQ(end["event"], "summary");
  EXPECT_EQ(end["outcome"], "cancelled");
  EXPECT_EQ(end["exit_code"], 141);
}

// Whatever is thrown, the standard library's exceptions too.
TEST_F(Report, JsonEndsWithASummaryInADirectoryThatIsGone) {
  const Finished result =
      run(shell("mkdir d; cd d; rmdir ../d; exec \"$MUSTER\" run wordcount --json ../text -o out"));
  EXPECT_EQ(result.exit_code, 1) << result.text();
  const Json end = events(result.out).back();
  EXPECT_EQ(end["event"], "summary");
  EXPECT_EQ(end["exit_code"], 1);
}

TEST_F(Report, ADryRunHasAJsonForm) {
  const Finished result = muster({"run", "wordcount", "--dry-run", "--json", "--chunk-size", "4",
                                  "-j", "3", "--set", "case=lower", "text"});
  expect_ok(result);
  EXPECT_EQ(result.err, "");
  const std::vector<Json> all = events(result.out);
  ASSERT_EQ(all.size(), 4U) << result.out;
  EXPECT_EQ(all[0]["event"], "planned");
  EXPECT_EQ(all[0]["workers"], 3);
  EXPECT_EQ(all[0]["settings"]["case"], "lower");
  EXPECT_EQ(all[2]["event"], "chunk");
  EXPECT_EQ(all[2]["chunk"], 1);
  EXPECT_EQ(all[2]["ranges"][0]["file"], "text");
  EXPECT_EQ(all[2]["ranges"][0]["offset"], 4);
  EXPECT_EQ(all[2]["ranges"][0]["bytes"], 4);
  EXPECT_EQ(all[3]["event"], "summary");
  EXPECT_EQ(all[3]["outcome"], "planned");
}

TEST_F(Report, ADryRunThatFailsEndsItsJsonWithASummary) {
  const Finished result = muster({"run", "wordcount", "--dry-run", "--json", "missing"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(events(result.out).back()["error"]["code"], "usage");
}

TEST_F(Report, JsonSurvivesNamesThatAreNotUtf8) {
  write("bad\xff", "x\n");
  const Finished result = muster({"run", "wordcount", "--json", "bad\xff\xfe", "-o", "out"});
  EXPECT_EQ(result.exit_code, 2);
  events(result.out);
}

TEST_F(Report, QuietPrintsNothingButErrors) {
  const Finished result = muster({"run", "wordcount", "--quiet", "text", "-o", "out"});
  expect_ok(result);
  EXPECT_EQ(result.out + result.err, "");
  EXPECT_EQ(muster({"run", "wordcount", "-q", "text", "-o", "out"}).err.rfind("error: ", 0), 0U);
}

TEST_F(Report, TheTextSaysPlanStagesAndEnd) {
  const Finished result = muster({"run", "wordcount", "text", "-o", "out"});
  for (const char* each : {"plan    1 chunk of 8 B", "no network ports opened", "map     [",
                           "]  1/1", "reduce  [", "done    in ", "out (1 file, ", "0 retries"}) {
    EXPECT_NE(result.err.find(each), std::string::npos) << each << "\n" << result.text();
  }
  EXPECT_EQ(result.err.find('\r'), std::string::npos) << "redraws a line that is no terminal's";
  EXPECT_EQ(result.err.find('\033'), std::string::npos);
}

TEST_F(Report, ADryRunPrintsThePlanAndWritesNothing) {
  const Finished result =
      muster({"run", "wordcount", "--dry-run", "--chunk-size", "4", "--partitions", "5", "-j", "3",
              "--set", "case=lower", "text", "-o", "out"});
  expect_ok(result);
  for (const char* each : {"wordcount", "case=lower", "8 B in 1 file\n", "partitions  5",
                           "chunks      2", "'text' from byte 4", "processes   3"}) {
    EXPECT_NE(result.out.find(each), std::string::npos) << each << "\n" << result.text();
  }
  EXPECT_EQ(names_in(work()), std::vector<std::string>{"text"});
}

TEST_F(Report, ADryRunOfABadJobFailsLikeTheJob) {
  expect_error(muster({"run", "wordcount", "--dry-run", "missing"}), 2, {"input 'missing'"});
  output_of(shell("mkdir out"));
  expect_error(muster({"run", "wordcount", "--dry-run", "text", "-o", "out"}), 2,
               {"already exists"});
}

TEST_F(Report, OptionsMayStandAnywhere) {
  EXPECT_EQ(output_of(command({"run", "-j2", "wordcount", "-q", "--set=case=lower", "text"})),
            "a\t1\nb\t2\nc\t1\n");
}

}  // namespace
}  // namespace muster::testing
