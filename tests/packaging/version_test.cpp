#include <gtest/gtest.h>

#include <muster/base/version.hpp>

namespace {

TEST(Version, OfTheLibraryIsThatOfTheProject) {
  EXPECT_STREQ(muster::version_text, MUSTER_PROJECT_VERSION);
}

}  // namespace
