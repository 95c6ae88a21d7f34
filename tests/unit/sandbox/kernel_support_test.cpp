#include <string>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/sandbox/kernel_support.hpp>

namespace muster::sandbox {
namespace {

TEST(KernelSupportTest, EverythingLeavesNothingToSay) {
  const KernelSupport all{.landlock_abi = 7};
  EXPECT_EQ(describe(all), "no_new_privs, landlock (ABI 7), seccomp");
  EXPECT_TRUE(shortcomings(all).empty());
  EXPECT_NO_THROW(require_everything(all));
  EXPECT_NO_THROW(require_everything({.landlock_abi = landlock_abi_wanted}));
}

TEST(KernelSupportTest, AnOldLandlockLacksWhatCameLater) {
  const KernelSupport debian12{.landlock_abi = 2};
  EXPECT_EQ(describe(debian12), "no_new_privs, landlock (ABI 2), seccomp");
  const auto missing = shortcomings(debian12);
  ASSERT_EQ(missing.size(), 3U);
  EXPECT_NE(missing[0].find("truncating files"), std::string::npos) << missing[0];
  EXPECT_NE(missing[1].find("TCP listeners"), std::string::npos) << missing[1];
  EXPECT_NE(missing[2].find("signals"), std::string::npos) << missing[2];
  EXPECT_EQ(shortcomings({.landlock_abi = 1}).size(), 4U);
  EXPECT_EQ(shortcomings({.landlock_abi = 5}).size(), 1U);
}

TEST(KernelSupportTest, RequiringWhatThereIsNotNamesItAndTheRemedy) {
  const KernelSupport neither{.landlock_trouble = "why not", .seccomp_trouble = "nor that"};
  EXPECT_EQ(describe(neither), "no_new_privs");
  try {
    require_everything(neither);
    FAIL() << "nothing was required";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    const std::string text = error.what();
    EXPECT_NE(text.find("landlock (why not); seccomp (nor that)"), std::string::npos) << text;
    EXPECT_NE(error.hint().find("--sandbox best-effort"), std::string::npos) << error.hint();
  }
}

}  // namespace
}  // namespace muster::sandbox
