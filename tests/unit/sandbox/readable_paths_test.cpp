#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>
#include <muster/sandbox/readable_paths.hpp>

namespace muster::sandbox {
namespace {

namespace fs = std::filesystem;
using Paths = std::vector<fs::path>;

TEST(LiesIn, ComparesWholeNames) {
  EXPECT_TRUE(lies_in("/a/b", "/a"));
  EXPECT_TRUE(lies_in("/a", "/a"));
  EXPECT_TRUE(lies_in("/a", "/"));
  EXPECT_FALSE(lies_in("/ab", "/a"));
  EXPECT_FALSE(lies_in("/a", "/a/b"));
}

class ReadablePaths : public ::testing::Test {
 protected:
  void make(const std::string& name) {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << name;
  }
  /// Those in this test's own directory.
  Paths readable(const Paths& hidden) const {
    Paths out;
    for (const fs::path& each : readable_paths(hidden)) {
      if (lies_in(each, root)) out.push_back(each.lexically_relative(root));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  TempDir directory{default_temp_parent()};
  fs::path root = fs::canonical(directory.path());
};

TEST_F(ReadablePaths, AreWhatLiesBesideTheWay) {
  for (const char* each : {"keys/worker.key", "keys/old/worker.key", "data/x", "file"}) make(each);
  EXPECT_EQ(readable({root / "keys"}), (Paths{"data", "file", "lock"}));
  EXPECT_EQ(readable({root / "keys/worker.key"}), (Paths{"data", "file", "keys/old", "lock"}));
  EXPECT_EQ(readable({root / "keys", root / "data/x"}), (Paths{"file", "lock"}));
  EXPECT_EQ(readable({root / "keys", root / "keys/old"}), (Paths{"data", "file", "lock"}))
      << "hidden twice";
  const Paths beside_root = readable_paths({root / "keys"});
  EXPECT_EQ(std::count(beside_root.begin(), beside_root.end(), "/proc"), 1);
  EXPECT_EQ(std::count(beside_root.begin(), beside_root.end(), "/"), 0);
}

TEST_F(ReadablePaths, LeaveSymbolicLinksOut) {
  make("keys/worker.key");
  fs::create_symlink("keys", root / "link");
  EXPECT_EQ(readable({root / "keys"}), Paths{"lock"}) << "it would lead to what is hidden";
}

TEST_F(ReadablePaths, AreNoneIfNothingIsHidden) { EXPECT_TRUE(readable_paths({}).empty()); }

TEST_F(ReadablePaths, TheWaysAreNamedOnce) {
  EXPECT_EQ(ways_to({"/etc/muster/keys", "/etc/other"}), (Paths{"/", "/etc", "/etc/muster"}));
  EXPECT_EQ(ways_to({"/a", "/a/b/c"}), Paths{"/"}) << "what lies in something hidden is hidden";
}

}  // namespace
}  // namespace muster::sandbox
