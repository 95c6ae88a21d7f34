// Input that is missing, cannot be read, or changes under the job's hands.
#include <fmt/format.h>
#include <unistd.h>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

class BadInput : public MusterTest {
 protected:
  // Runs a job with -o and expects it to fail, with nothing left: neither the output, nor anything
  // hidden beside it.
  void expect_refused(const std::vector<std::string>& arguments, int exit_code,
                      std::initializer_list<std::string_view> texts) const {
    const auto before = names_in(work());
    std::vector<std::string> all = {"run"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {"-o", "out"});
    expect_error(muster(all), exit_code, texts);
    EXPECT_EQ(names_in(work()), before);
  }
};

TEST_F(BadInput, AMissingFileIsNamedWithTheClosestOne) {
  write("access.log", "x\n");
  expect_refused({"wordcount", "acess.log"}, 2,
                 {"error: input 'acess.log' not found", "hint: did you mean 'access.log'?"});
  write("d/access.log", "x\n");
  expect_refused({"wordcount", "access.log", "d/access.lgo"}, 2,
                 {"input 'd/access.lgo' not found", "did you mean 'd/access.log'?"});
  expect_refused({"wordcount", "missing-entirely"}, 2, {"input 'missing-entirely' not found"});
  expect_refused({"wordcount", "access.log/below"}, 2, {"input 'access.log/below'"});
  expect_refused({"wordcount", ""}, 2, {"input ''"});
}

TEST_F(BadInput, APatternWithoutAMatchIsNamed) {
  expect_refused({"wordcount", "*.log"}, 2, {"no input matches '*.log'"});
}

// Root may read everything: there the program runs without the capabilities that make it so.
TEST_F(BadInput, AnUnreadableFileIsNamed) {
  write("secret", "x\n");
  write("d/e/x", "x\n");
  const std::string other =
      ::geteuid() == 0 ? "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all "
                       : "";
  output_of(shell("chmod 0 secret; chmod 0 d/e; chmod 777 . \"$TMPDIR\""));
  expect_error(run(shell("exec " + other + "\"$MUSTER\" run wordcount secret -o out")), 2,
               {"input 'secret' cannot be read: Permission denied"});
  expect_error(run(shell("exec " + other + "\"$MUSTER\" run wordcount d -o out")), 2,
               {"input 'd/e", "Permission denied"});
  output_of(shell("chmod 555 \"$TMPDIR\""));
  write("open", "x\n");
  expect_error(run(shell("exec " + other + "\"$MUSTER\" run wordcount open -o out")), 2,
               {"cannot make a temporary directory in", "Permission denied", "--tmp DIR"});
  output_of(shell("chmod 777 \"$TMPDIR\"; chmod 555 ."));
  expect_error(run(shell("exec " + other + "\"$MUSTER\" run wordcount open -o out")), 2,
               {"cannot make output", "/out'", "Permission denied"});
  EXPECT_EQ(names_in(work()), (std::vector<std::string>{"d", "open", "secret"}));
  output_of(shell("chmod -R u+rwx ."));
}

TEST_F(BadInput, ASocketIsRefused) {
  // Made by any program that is there: Perl is essential in Debian.
  output_of(
      shell("perl -MIO::Socket::UNIX -e "
            "'IO::Socket::UNIX->new(Local => \"socket\", Listen => 1) or die'"));
  expect_refused({"wordcount", "socket"}, 2,
                 {"input 'socket' is neither a file, a directory nor a pipe"});
}

TEST_F(BadInput, AFileThatShrinksWhileItIsReadFailsTheJob) {
  std::string text = "BOOM\n";
  while (text.size() < 1'000'000) text += "line\n";
  write("text", text);
  expect_refused({plugin("faulty"), "--set", "fault=truncate", "--set", "path=text", "--chunk-size",
                  "100M", "text"},
                 1, {"'text'", "300000"});
}

TEST_F(BadInput, AFileThatShrinksBeforeItsTurnFailsTheJob) {
  write("first", "BOOM\n");
  write("second", std::string(400'000, 'x') + "\n");
  expect_refused({plugin("faulty"), "-j", "1", "--set", "fault=truncate", "--set", "path=second",
                  "--chunk-size", "5", "--partitions", "2", "first", "second"},
                 1, {"'second'", "300000"});
}

TEST_F(BadInput, AFileThatGoesAwayFailsTheJob) {
  write("first", "BOOM\n");
  write("second", "x\n");
  expect_error(muster({"run", plugin("faulty"), "-j", "1", "--set", "fault=remove", "--set",
                       "path=second", "--chunk-size", "5", "first", "second", "-o", "out"}),
               1, {"second", "No such file"});
  EXPECT_EQ(names_in(work()), std::vector<std::string>{"first"});
}

}  // namespace
}  // namespace muster::testing
