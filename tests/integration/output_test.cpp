// What a job with -o leaves behind.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <muster/base/checksum.hpp>

#include "support/muster_test.hpp"
#include "support/reference.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;

using Json = nlohmann::json;

class Output : public MusterTest {
 protected:
  void SetUp() override { write("text", skewed_text(300'000, 5)); }

  // The manifest of an output, after a look at every part it names.
  Json checked_manifest(const fs::path& output) const {
    const Json manifest = Json::parse(read(output / "_MANIFEST.json"));
    std::vector<std::string> names = {"_MANIFEST.json"};
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    for (const Json& part : manifest.at("parts")) {
      names.push_back(part.at("name"));
      const std::string text = read(output / names.back());
      const auto lines = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
      EXPECT_EQ(part.at("records"), lines) << names.back();
      EXPECT_EQ(part.at("bytes"), text.size()) << names.back();
      EXPECT_EQ(part.at("xxh3_64"), to_hex(checksum(text))) << names.back();
      records += lines;
      bytes += text.size();
    }
    EXPECT_EQ(manifest.at("records"), records);
    EXPECT_EQ(manifest.at("bytes"), bytes);
    EXPECT_EQ(names_in(output), names);
    return manifest;
  }
};

TEST_F(Output, PartsHoldTheResultAndTheManifestSaysSo) {
  const std::string expected =
      output_of(shell("cat text | " + counting_pipeline(Counting::tokens)));
  for (const char* partitions : {"1", "3", "16"}) {
    const std::string out = fmt::format("out-{}", partitions);
    const Finished result = muster({"run", "wordcount", "text", "-o", out, "--partitions",
                                    partitions, "--chunk-size", "50000"});
    expect_ok(result);
    EXPECT_EQ(result.out, "");
    const Json manifest = checked_manifest(path(out));
    EXPECT_EQ(std::to_string(manifest.at("parts").size()), partitions);
    EXPECT_EQ(manifest.at("schema"), 1);
    EXPECT_EQ(manifest.at("task"), "wordcount");
    EXPECT_EQ(manifest.at("input").at("bytes"), fs::file_size(path("text")));
    EXPECT_EQ(manifest.at("settings").at("tokens"), "space");
    // Lines sort as their keys do: a tab comes before whatever a word holds.
    EXPECT_EQ(output_of(shell(fmt::format("sort out-{}/part-*", partitions))), expected);
    EXPECT_EQ(output_of(shell(fmt::format("sort -m out-{}/part-*", partitions))), expected);
  }
}

TEST_F(Output, OfAMapOnlyTaskHasAPartAChunk) {
  expect_ok(muster({"run", "grep", "--set", "pattern=1", "text", "-o", "out", "--chunk-size",
                    "30000", "-j", "8"}));
  const Json manifest = checked_manifest(path("out"));
  EXPECT_GT(manifest.at("parts").size(), 9U);
  EXPECT_EQ(output_of(shell("cat out/part-*")),
            output_of(shell("grep -anH 1 text | sed -E 's/^([^:]*:[0-9]+):/\\1\\t/'")));
}

TEST_F(Output, OfAnEmptyInputIsComplete) {
  write("empty", "");
  expect_ok(muster({"run", "wordcount", "empty", "-o", "out"}));
  EXPECT_EQ(checked_manifest(path("out")).at("records"), 0);
  expect_ok(muster({"run", "grep", "--set", "pattern=x", "empty", "-o", "lines"}));
  EXPECT_EQ(checked_manifest(path("lines")).at("records"), 0);
}

TEST_F(Output, IsTheSameBytesForTheSameInput) {
  expect_ok(muster({"run", "wordcount", "text", "-o", "one", "-j", "1", "--partitions", "4"}));
  expect_ok(muster({"run", "wordcount", "text", "-o", "two", "-j", "8", "--partitions", "4",
                    "--chunk-size", "9999"}));
  output_of(shell("diff -r one two"));
}

TEST_F(Output, MayBeNamedWithASlashOrAsAPath) {
  output_of(shell("mkdir -p deep/er"));
  for (const std::string& name :
       std::vector<std::string>{"slash/", "./dot", "deep/er/out", path("absolute").string()}) {
    expect_ok(muster({"run", "wordcount", "text", "-o", name}));
    checked_manifest(work() / name / "");
  }
  EXPECT_EQ(names_in(path("deep/er")), std::vector<std::string>{"out"});
}

TEST_F(Output, HasTheModeThatMkdirGives) {
  output_of(shell("umask 027; exec \"$MUSTER\" run wordcount -q text -o out"));
  EXPECT_EQ(output_of(shell("stat -c %a out out/part-00000 out/_MANIFEST.json")),
            "750\n640\n640\n");
}

TEST_F(Output, OverwriteReplacesAnEarlierOutputAsAWhole) {
  expect_ok(muster({"run", "wordcount", "text", "-o", "out", "--partitions", "5"}));
  write("text", "only this\n");
  expect_ok(muster({"run", "wordcount", "text", "-o", "out", "--overwrite", "--partitions", "1"}));
  EXPECT_EQ(checked_manifest(path("out")).at("parts").size(), 1U);
  EXPECT_EQ(read(path("out/part-00000")), "only\t1\nthis\t1\n");
  EXPECT_EQ(names_in(work()), (std::vector<std::string>{"out", "text"}));
}

TEST_F(Output, OverwriteTakesAnEmptyDirectoryAndOneThatIsNotThere) {
  output_of(shell("mkdir empty"));
  expect_ok(muster({"run", "wordcount", "text", "-o", "empty", "--overwrite"}));
  checked_manifest(path("empty"));
  expect_ok(muster({"run", "wordcount", "text", "-o", "new", "--overwrite"}));
  checked_manifest(path("new"));
}

TEST_F(Output, MayReplaceTheOutputItIsComputedFrom) {
  write("text", "one two\n");
  expect_ok(muster({"run", "wordcount", "text", "-o", "out"}));
  expect_ok(muster({"run", "grep", "--set", "pattern=two", "out", "-o", "out", "--overwrite"}));
  checked_manifest(path("out"));
  EXPECT_EQ(read(path("out/part-00000")), "out/part-00000:2\ttwo\t1\n");
}

}  // namespace
}  // namespace muster::testing
