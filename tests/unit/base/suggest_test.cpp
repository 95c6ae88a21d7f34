#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/suggest.hpp>

namespace muster {
namespace {

const std::vector<std::string> tasks = {"grep", "wordcount", "wordlength"};

TEST(Closest, finds_every_kind_of_typo) {
  for (const char* name : {"wordcount", "wordcont", "wordcounts", "wordcaunt", "owrdcount",
                           "wrodcuont", "wordcnout", "wrdcnt"}) {
    EXPECT_EQ(closest(name, tasks), "wordcount") << name;
  }
  EXPECT_EQ(closest("gerp", tasks), "grep");
}

TEST(Closest, gives_nothing_above_a_third_of_the_name) {
  EXPECT_EQ(closest("wcount", tasks), "wordcount");  // 3 of 9
  EXPECT_EQ(closest("wcoun", tasks), std::nullopt);  // 4 of 9
  EXPECT_EQ(closest("grip", tasks), "grep");         // 1 of 4
  EXPECT_EQ(closest("groups", tasks), std::nullopt);
  EXPECT_EQ(closest("", tasks), std::nullopt);
  EXPECT_EQ(closest("sort", tasks), std::nullopt);
}

TEST(Closest, allows_one_edit_in_the_shortest_names) {
  const std::vector<std::string> names = {"ls"};
  EXPECT_EQ(closest("l", names), "ls");
  EXPECT_EQ(closest("sl", names), "ls");
  EXPECT_EQ(closest("xy", names), std::nullopt);
}

TEST(Closest, prefers_fewer_edits_then_the_first) {
  const std::vector<std::string> names = {"alpha-2", "alpha-1", "alpha"};
  EXPECT_EQ(closest("alpha-", names), "alpha-2");
  EXPECT_EQ(closest("alpha", names), "alpha");
  EXPECT_EQ(closest("alpha-1", names), "alpha-1");
}

TEST(Closest, of_no_candidates_is_nothing) {
  EXPECT_EQ(closest("x", std::vector<std::string>{}), std::nullopt);
}

}  // namespace
}  // namespace muster
