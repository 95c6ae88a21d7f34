#include <cerrno>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>

namespace muster {
namespace {

TEST(Error, keeps_code_message_and_hint) {
  const Error error(ErrorCode::limit, "too much", "take less");
  EXPECT_EQ(error.code(), ErrorCode::limit);
  EXPECT_STREQ(error.what(), "too much");
  EXPECT_EQ(error.hint(), "take less");
  EXPECT_EQ(Error(ErrorCode::io, "x").hint(), "");
}

TEST(Error, every_code_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::broken); ++code) {
    names.insert(to_string(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), 11U);
  EXPECT_EQ(names.count("unknown"), 0U);
  EXPECT_EQ(to_string(ErrorCode::no_space), "no_space");
  EXPECT_EQ(to_string(static_cast<ErrorCode>(200)), "unknown");
}

TEST(SystemError, tells_a_full_file_system_from_other_failures) {
  EXPECT_EQ(system_error(ENOSPC, "w").code(), ErrorCode::no_space);
  EXPECT_EQ(system_error(EDQUOT, "w").code(), ErrorCode::no_space);
  EXPECT_NE(system_error(ENOSPC, "w").hint(), "");
  EXPECT_EQ(system_error(EIO, "w").code(), ErrorCode::io);
  EXPECT_EQ(system_error(EIO, "w").hint(), "");
  EXPECT_STREQ(system_error(ENOENT, "cannot open 'x'").what(),
               "cannot open 'x': No such file or directory");
}

TEST(Assert, passes_when_it_holds_and_aborts_when_not) {
  MUSTER_ASSERT(1 + 1 == 2);
  EXPECT_DEATH(MUSTER_ASSERT(1 + 1 == 3), "invariant broken: 1 \\+ 1 == 3 \\(.*error_test.cpp:");
}

}  // namespace
}  // namespace muster
