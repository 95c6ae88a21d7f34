#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/mapreduce/input_files.hpp>

#include "support/as_nobody.hpp"

namespace muster::mapreduce {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class Inputs : public ::testing::Test {
 protected:
  Inputs() : before_(fs::current_path()) {
    fs::create_directory(scratch_.path() / "w");
    fs::create_directory(scratch_.path() / "spool");
    fs::current_path(scratch_.path() / "w");
  }
  ~Inputs() override { fs::current_path(before_); }

  static void put(const fs::path& path, const std::string& text = "x") {
    if (path.has_parent_path()) fs::create_directories(path.parent_path());
    write_file_synced(path, text);
  }

  std::vector<InputFile> expand(const Names& named) {
    spool_ = scratch_.path() / "spool";
    return expand_inputs(
        named,
        [this]() -> const fs::path& {
          ++spools_;
          return spool_;
        },
        [this] {
          if (on_check_) on_check_();
        });
  }

  Names names(const Names& named) {
    Names out;
    for (const InputFile& each : expand(named)) out.push_back(each.name);
    return out;
  }

  Error refusal(const Names& named) {
    try {
      expand(named);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::broken, "nothing was thrown");
  }

  int spools_ = 0;
  std::function<void()> on_check_;  // called where the expansion asks whether to stop

 private:
  TempDir scratch_{default_temp_parent()};
  fs::path before_;
  fs::path spool_;
};

TEST_F(Inputs, files_come_in_the_order_named_even_twice) {
  put("b", "12345");
  put("a", "");
  const auto files = expand({"b", "a", "b"});
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].name, "b");
  EXPECT_EQ(files[0].size, 5U);
  EXPECT_EQ(files[0].path, fs::current_path() / "b");
  EXPECT_EQ(files[1].size, 0U);
  EXPECT_EQ(files[2].name, "b");
  EXPECT_EQ(spools_, 0);
}

TEST_F(Inputs, a_directory_stands_for_its_files_sorted_by_bytes) {
  for (const char* path : {"d/b", "d/a/z", "d/a.txt", "d/a-1", "d/.hidden", "d/B", "d/\xc3\xa4"}) {
    put(path);
  }
  fs::create_directory("d/empty");
  EXPECT_EQ(names({"d"}),
            (Names{"d/.hidden", "d/B", "d/a-1", "d/a.txt", "d/a/z", "d/b", "d/\xc3\xa4"}));
  EXPECT_EQ(names({"d/empty"}), Names{});
}

TEST_F(Inputs, links_met_on_the_way_are_not_followed_but_those_named_are) {
  put("d/file");
  put("other/outside");
  fs::create_symlink("file", "d/link");
  fs::create_directory_symlink("../other", "d/dirlink");
  fs::create_directory_symlink(".", "d/loop");
  fs::create_symlink("nowhere", "d/dangling");
  EXPECT_EQ(names({"d"}), Names{"d/file"});
  EXPECT_EQ(names({"d/link", "d/dirlink"}), (Names{"d/link", "d/dirlink/outside"}));
  EXPECT_EQ(refusal({"d/dangling"}).code(), ErrorCode::usage);
}

TEST_F(Inputs, pipes_and_sockets_within_a_directory_are_passed_over) {
  put("d/file");
  ASSERT_EQ(::mkfifo("d/pipe", 0600), 0);
  EXPECT_EQ(names({"d"}), Names{"d/file"});
}

TEST_F(Inputs, patterns_stand_for_what_they_match_sorted) {
  for (const char* path : {"log-2", "log-10", "log-1", "other", "d1/x", "d2/x"}) put(path);
  EXPECT_EQ(names({"log-*"}), (Names{"log-1", "log-10", "log-2"}));
  EXPECT_EQ(names({"log-?"}), (Names{"log-1", "log-2"}));
  EXPECT_EQ(names({"log-[2-9]"}), Names{"log-2"});
  EXPECT_EQ(names({"d*"}), (Names{"d1/x", "d2/x"})) << "a directory that matches counts whole";
  const Error error = refusal({"none-*"});
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_STREQ(error.what(), "no input matches 'none-*'");
}

TEST_F(Inputs, a_file_whose_name_looks_like_a_pattern_is_itself) {
  put("a*");
  put("ab");
  put("[x]");
  EXPECT_EQ(names({"a*", "[x]"}), (Names{"a*", "[x]"}));
  EXPECT_EQ(names({"[[]x]"}), Names{"[x]"});
}

TEST_F(Inputs, a_file_found_by_a_pattern_is_not_taken_for_standard_input) {
  put("-", "of the file");
  const auto files = expand({"*"});
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].path, fs::current_path() / "-");
  EXPECT_EQ(files[0].size, 11U);
  EXPECT_EQ(spools_, 0);
}

// Or another file would be read in its place.
TEST_F(Inputs, a_file_that_goes_after_it_was_found_is_not_taken_for_a_pattern) {
  put("d/x1");
  put("d/x[1]");
  int checks = 0;
  on_check_ = [&] {
    if (++checks == 4) fs::remove("d/x[1]");  // asked for d itself, and twice in the walk
  };
  const Error error = refusal({"d"});
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_STREQ(error.what(), "input 'd/x[1]' cannot be read: No such file or directory");
}

TEST_F(Inputs, a_missing_one_is_named_with_the_closest_there_is) {
  put("shakespeare.txt");
  put("d/hamlet.txt");
  const Error error = refusal({"shakespear.txt"});
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_STREQ(error.what(), "input 'shakespear.txt' not found");
  EXPECT_EQ(error.hint(), "did you mean 'shakespeare.txt'?");
  EXPECT_EQ(refusal({"d/halmet.txt"}).hint(), "did you mean 'd/hamlet.txt'?");
  EXPECT_EQ(refusal({"something else"}).hint(), "");
  EXPECT_EQ(refusal({"no/such/dir"}).code(), ErrorCode::usage);
  EXPECT_EQ(refusal({"shakespeare.txt/x"}).code(), ErrorCode::usage);
  EXPECT_EQ(refusal({""}).code(), ErrorCode::usage);
}

TEST_F(Inputs, one_missing_among_many_is_found_out) {
  put("a");
  EXPECT_EQ(refusal({"a", "gone"}).code(), ErrorCode::usage);
}

TEST_F(Inputs, none_at_all_is_a_usage_error) {
  EXPECT_EQ(refusal({}).code(), ErrorCode::usage);
  EXPECT_NE(refusal({}).hint(), "");
}

TEST_F(Inputs, what_may_not_be_read_is_found_out_before_the_job) {
  put("secret");
  put("d/secret");
  fs::permissions("secret", fs::perms::none);
  fs::permissions("d/secret", fs::perms::none);
  fs::permissions(".", fs::perms::all);
  const muster::test::AsNobody nobody;
  EXPECT_EQ(refusal({"secret"}).code(), ErrorCode::usage);
  EXPECT_EQ(refusal({"d"}).code(), ErrorCode::usage);
}

TEST_F(Inputs, a_pipe_is_copied_because_it_may_be_read_again) {
  ASSERT_EQ(::mkfifo("pipe", 0600), 0);
  const std::string text(300'000, 'p');
  std::thread writer([&] {
    const UniqueFd fd = open_file("pipe", O_WRONLY);
    write_all(fd.get(), text, "pipe");
  });
  put("a", "first");
  const auto files = expand({"a", "pipe"});
  writer.join();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[1].name, "pipe");
  EXPECT_EQ(files[1].size, text.size());
  EXPECT_EQ(read_file(files[1].path), text);
  EXPECT_EQ(spools_, 1);
}

TEST_F(Inputs, standard_input_is_copied) {
  put("source", "from standard input");
  const UniqueFd saved(::dup(STDIN_FILENO));
  const UniqueFd source = open_file("source", O_RDONLY);
  ASSERT_GE(::dup2(source.get(), STDIN_FILENO), 0);
  const auto files = expand({"-"});
  ::dup2(saved.get(), STDIN_FILENO);
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].name, "-");
  EXPECT_EQ(read_file(files[0].path), "from standard input");
}

TEST_F(Inputs, a_copy_below_a_directory_is_read_once) {
  put("w/x");
  fs::create_directory("w/spool");
  const fs::path spool = fs::absolute("w/spool");
  put("w/spool/lock");
  const auto files = expand_inputs({"/dev/null", "w"}, [&]() -> const fs::path& { return spool; });
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].name, "/dev/null");
  EXPECT_EQ(files[1].name, "w/x");
}

TEST_F(Inputs, character_devices_are_copied_too) {
  const auto files = expand({"/dev/null"});
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].size, 0U);
  EXPECT_EQ(spools_, 1);
}

TEST_F(Inputs, sockets_are_refused) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(refusal({"socket"}).code(), ErrorCode::usage);
}

// A large tree takes long to walk, and longer to open file by file.
TEST_F(Inputs, a_stop_is_seen_at_every_file) {
  constexpr int files = 10;
  for (int i = 0; i < files; ++i) put("d/e/" + std::to_string(i));
  int checks = 0;
  on_check_ = [&] { ++checks; };
  EXPECT_EQ(names({"d"}).size(), 10U);
  EXPECT_GE(checks, 2 * files) << "once in the walk, once when it is added";
  for (int stop_at = 1; stop_at <= checks; ++stop_at) {
    int left = stop_at;
    on_check_ = [&] {
      if (--left == 0) throw Error(ErrorCode::cancelled, "cancelled");
    };
    EXPECT_EQ(refusal({"d"}).code(), ErrorCode::cancelled) << stop_at;
  }
}

TEST_F(Inputs, a_stop_is_seen_among_files_that_are_named) {
  put("a");
  int checks = 0;
  on_check_ = [&] { ++checks; };
  expand({"a", "a", "a"});
  EXPECT_EQ(checks, 3);
}

// The kernel gives such files the size 0, whatever they hold.
TEST_F(Inputs, files_of_proc_are_not_taken_for_empty) {
  const auto files = expand({"/proc/self/status"});
  ASSERT_EQ(files.size(), 1U);
  EXPECT_GT(files[0].size, 100U);
}

// There it is a page, whatever they hold.
TEST_F(Inputs, files_of_sys_are_not_taken_for_a_page) {
  const fs::path path = "/sys/devices/system/cpu/possible";
  const auto files = expand({path.string()});
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].size, read_file(path).size());
  EXPECT_LT(files[0].size, 100U);
  EXPECT_EQ(spools_, 1);
}

// They have no blocks either.
TEST_F(Inputs, files_of_holes_are_read_where_they_are) {
  put("holes", "");
  fs::resize_file("holes", 10'000'000);
  const auto files = expand({"holes"});
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].size, 10'000'000U);
  EXPECT_EQ(spools_, 0);
}

}  // namespace
}  // namespace muster::mapreduce
