// File systems that are full. Each is a small tmpfs in a mount namespace of the test's own.
#include <fmt/format.h>
#include <unistd.h>

#include "support/muster_test.hpp"
#include "support/reference.hpp"

namespace muster::testing {
namespace {

class DiskFull : public MusterTest {
 protected:
  void SetUp() override {
    output_of(shell("mkdir small"));
    for (const char* flags : {"-m", "-Urm"}) {
      unshare_ = fmt::format("unshare {}", flags);
      // In a user namespace, plugins may belong to users that are not there.
      const std::string probe =
          " sh -c 'mount -t tmpfs -o size=1m none small && "
          "\"$MUSTER\" plugin list'";
      if (run(shell(unshare_ + probe)).exit_code != 0) continue;
      write("text", skewed_text(8'000'000, 1));
      return;
    }
    GTEST_SKIP() << "needs root, or user namespaces and plugins of one's own, to mount a tmpfs";
  }

  // Runs `muster run ARGUMENTS` with the tmpfs at small/. The tmpfs must be empty afterwards.
  void expect_full(const std::string& arguments, std::string_view where) const {
    const Finished result =
        run(shell(fmt::format("exec {} sh -c 'mount -t tmpfs -o size=1m none small || exit 99; "
                              "\"$MUSTER\" run {}; code=$?; ls -A small > left; exit $code'",
                              unshare_, arguments)));
    expect_error(result, 1, {"error: ", "No space left on device", where, "hint: make room"});
    EXPECT_EQ(read(path("left")), "");
    EXPECT_EQ(names_in(work()), (std::vector<std::string>{"left", "small", "text"}));
  }

  std::string unshare_;
};

TEST_F(DiskFull, InTmpWhileMapping) {
  expect_full("wordcount -q --tmp small text", "small/muster-");
  expect_full("wordcount -q --tmp small text -o out", "small/muster-");
}

TEST_F(DiskFull, InTmpWhileStandardInputIsCopied) {
  expect_full("wordcount -q --tmp small - < text", "small/muster-");
}

TEST_F(DiskFull, InTheOutput) { expect_full("wordcount -q text -o small/out", "small/.out"); }

TEST_F(DiskFull, InTheOutputOfAMapOnlyTask) {
  expect_full("grep -q --set pattern=. text -o small/out", "small/.out");
}

TEST_F(DiskFull, KeepsTheOutputThatWasToBeReplaced) {
  write("little", "a\n");
  const Finished result =
      run(shell(fmt::format("exec {} sh -c 'mount -t tmpfs -o size=1m none small || exit 99; "
                            "\"$MUSTER\" run wordcount -q little -o small/out || exit 98; "
                            "\"$MUSTER\" run wordcount -q text -o small/out --overwrite; code=$?; "
                            "ls -A small; cat small/out/part-00000; exit $code'",
                            unshare_)));
  EXPECT_EQ(result.exit_code, 1) << result.text();
  EXPECT_EQ(result.out, "out\na\t1\n");
}

}  // namespace
}  // namespace muster::testing
