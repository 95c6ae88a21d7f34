#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>
#include <muster/cluster/worker/program.hpp>

namespace muster::cluster {
namespace {

class Ends final : public EndSink {
 public:
  void ended(std::uint64_t /*generation*/, wire::CallEnd&& end) noexcept override {
    all.push_back(std::move(end));
  }
  std::vector<wire::CallEnd> all;
};

class ProgramTest : public testing::Test {
 protected:
  /// As a worker gets it: with files that are no program.
  wire::Digest store_file(const std::string& whole) {
    store.add({sha256(whole), whole.size(), 0, whole});
    return sha256(whole);
  }

  TempDir directory{default_temp_parent()};
  CodeStore store{directory.path() / "code"};
  Ends ends;
};

TEST_F(ProgramTest, waits_for_its_files_and_says_which) {
  ProgramManifest manifest;
  manifest.executable = {"program", sha256("the program")};
  const Bytes encoded = encode(manifest);
  const ProgramOptions options;
  Program program(sha256(encoded), wire::CodeKind::program, options, store, ends);
  program.advance(Clock::now());
  EXPECT_EQ(program.missing_files(), std::vector{sha256(encoded)});
  store_file(encoded);
  program.advance(Clock::now());
  EXPECT_EQ(program.missing_files(), std::vector{sha256("the program")});
  auto task = program.make_task({1, "call", std::nullopt}, 0);
  EXPECT_FALSE(program.is_ready());
  program.file_is_missing("nobody has it");
  ASSERT_TRUE(program.is_ready()) << "to refuse its calls";
  EXPECT_TRUE(ends.all.empty());
  program.run(std::move(task));
  ASSERT_EQ(ends.all.size(), 1U);
  EXPECT_EQ(ends.all[0].kind, wire::EndKind::worker_lost) << "it may run elsewhere";
  EXPECT_TRUE(program.is_over(Clock::now())) << "a later call asks anew";
}

TEST_F(ProgramTest, that_is_none_refuses_its_calls_and_harms_nobody) {
  ProgramManifest manifest;
  manifest.executable = {"program", store_file("not even a program")};
  for (const Bytes& encoded : {Bytes("no manifest"), encode(manifest)}) {
    ends.all.clear();
    const wire::Digest digest = store_file(encoded);
    for (int round = 0; round < 2; ++round) {
      const ProgramOptions options;
      Program program(digest, wire::CodeKind::program, options, store, ends);
      program.advance(Clock::now());
      ASSERT_TRUE(program.is_ready());
      program.run(program.make_task({1, "call", std::nullopt}, 0));
    }
    ASSERT_EQ(ends.all.size(), 2U);
    EXPECT_EQ(ends.all[0].kind, wire::EndKind::refused);
    EXPECT_NE(ends.all[0].bytes, "");
  }
}

}  // namespace
}  // namespace muster::cluster
