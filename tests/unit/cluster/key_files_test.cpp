#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>
#include <muster/cluster/security/key_files.hpp>

namespace muster::cluster {
namespace {

namespace fs = std::filesystem;
using Paths = std::vector<fs::path>;

class SecretPaths : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* each : {"keys/worker.key", "keys/coordinator.pub", "keys/client.key", "far"}) {
      fs::create_directories((root / each).parent_path());
      std::ofstream(root / each) << each;
    }
  }
  static Paths secrets(const fs::path& keys) {
    Paths out = secret_paths(keys);
    std::sort(out.begin(), out.end());
    return out;
  }

  TempDir directory{default_temp_parent()};
  fs::path root = fs::canonical(directory.path());
};

TEST_F(SecretPaths, AreADirectoryAsAWhole) {
  EXPECT_EQ(secrets(root / "keys"), Paths{root / "keys"});
  fs::create_directory_symlink("keys", root / "link");
  EXPECT_EQ(secrets(root / "link"), Paths{root / "keys"});
}

TEST_F(SecretPaths, AreTheKeysBesideAKeyFile) {
  EXPECT_EQ(secrets(root / "keys/worker.key"),
            (Paths{root / "keys/client.key", root / "keys/worker.key"}));
}

TEST_F(SecretPaths, AreWhatLinksLeadTo) {
  fs::create_symlink("../far", root / "keys/linked.key");
  EXPECT_EQ(secrets(root / "keys"), (Paths{root / "far", root / "keys"}));
  EXPECT_EQ(secrets(root / "keys/linked.key"),
            (Paths{root / "far", root / "keys/client.key", root / "keys/worker.key"}));
}

TEST_F(SecretPaths, AreNoneIfThereAreNoKeys) {
  EXPECT_TRUE(secret_paths(root / "nowhere").empty());
}

}  // namespace
}  // namespace muster::cluster
