// What can be named as input.
#include <fmt/format.h>
#include <sys/stat.h>

#include "support/muster_test.hpp"

namespace muster::testing {
namespace {

class Inputs : public MusterTest {
 protected:
  std::string count(std::vector<std::string> inputs) const {
    std::vector<std::string> arguments = {"run", "wordcount", "-q"};
    arguments.insert(arguments.end(), inputs.begin(), inputs.end());
    return output_of(command(arguments));
  }
  std::string lines(const std::string& inputs) const {
    return output_of(shell("exec \"$MUSTER\" run grep -q --set pattern=. " + inputs));
  }
};

TEST_F(Inputs, StandardInputIsADash) {
  Command dash = command({"run", "wordcount", "-q", "-"});
  dash.input = "b a b";
  EXPECT_EQ(output_of(dash), "a\t1\nb\t2\n");
  dash.input = "";
  EXPECT_EQ(output_of(dash), "");
}

TEST_F(Inputs, StandardInputMayBeAPipe) {
  write("text", "b a b\n");
  EXPECT_EQ(output_of(shell("cat text text | \"$MUSTER\" run wordcount -q --chunk-size 3 -")),
            "a\t2\nb\t4\n");
  EXPECT_EQ(output_of(shell("cat text | \"$MUSTER\" run grep -q --set pattern=a - text")),
            "-:1\tb a b\ntext:1\tb a b\n");
}

TEST_F(Inputs, ANamedPipeIsReadOnce) {
  EXPECT_EQ(output_of(shell("mkfifo pipe; seq 1 3000 > pipe & "
                            "\"$MUSTER\" run wordcount -q --chunk-size 1000 pipe | wc -l")),
            "3000\n");
}

TEST_F(Inputs, ADirectoryStandsForAllFilesBelowItInOrder) {
  for (const char* name : {"d/b", "d/a/z", "d/a/b/c", "d/.hidden", "d/c", "d/B"}) {
    write(name, std::string(name) + "\n");
  }
  EXPECT_EQ(lines("d"),
            "d/.hidden:1\td/.hidden\nd/B:1\td/B\nd/a/b/c:1\td/a/b/c\nd/a/z:1\td/a/z\n"
            "d/b:1\td/b\nd/c:1\td/c\n");
}

TEST_F(Inputs, TheOutputBelowADirectoryIsNoInput) {
  write("d/text", "b a b\n");
  for (const char* overwrite : {"", " --overwrite", " --overwrite"}) {
    output_of(shell(std::string("exec \"$MUSTER\" run wordcount -q d -o d/out") + overwrite));
    EXPECT_EQ(read(path("d/out/part-00000")), "a\t1\nb\t2\n");
  }
  EXPECT_EQ(lines("d/out/part-00000"), "d/out/part-00000:1\ta\t1\nd/out/part-00000:2\tb\t2\n");
}

TEST_F(Inputs, WhatAnotherJobIsAboutToWriteIsNoInput) {
  write("d/text", "word\n");
  write("d/.out.muster-abcdef/.muster-staging", "");
  write("d/.out.muster-abcdef/part-00000", "half\t1\n");
  EXPECT_EQ(count({"d"}), "word\t1\n");
}

TEST_F(Inputs, ADirectoryIsReadWithoutLinksPipesOrLoops) {
  write("d/file", "word\n");
  write("outside", "other\n");
  output_of(shell("ln -s ../outside d/link; ln -s .. d/loop; ln -s nowhere d/broken; mkfifo d/p"));
  EXPECT_EQ(count({"d"}), "word\t1\n");
}

TEST_F(Inputs, ALinkThatIsNamedIsFollowed) {
  write("d/file", "word\n");
  output_of(shell("ln -s d/file link; ln -s d to_d"));
  EXPECT_EQ(count({"link"}), "word\t1\n");
  EXPECT_EQ(count({"to_d"}), "word\t1\n");
}

TEST_F(Inputs, AnEmptyDirectoryIsAnEmptyInput) {
  output_of(shell("mkdir -p d/e"));
  EXPECT_EQ(count({"d"}), "");
}

TEST_F(Inputs, AQuotedPatternIsExpandedInOrder) {
  for (const char* name : {"x2.log", "x10.log", "x1.log", "y.log"}) write(name, "word\n");
  EXPECT_EQ(lines("'x*.log'"), "x1.log:1\tword\nx10.log:1\tword\nx2.log:1\tword\n");
  EXPECT_EQ(lines("'x?.log'"), "x1.log:1\tword\nx2.log:1\tword\n");
  EXPECT_EQ(lines("'[xy]*[0-9].log'"), "x1.log:1\tword\nx10.log:1\tword\nx2.log:1\tword\n");
}

TEST_F(Inputs, AFileNamedDashThatAPatternMatchesIsThatFile) {
  write("-", "file\n");
  Command pattern = command({"run", "wordcount", "-q", "*"});
  pattern.input = "stream\n";
  EXPECT_EQ(output_of(pattern), "file\t1\n");
}

TEST_F(Inputs, FilesOfTheKernelHoldWhatTheyHold) {
  const std::string file = "/sys/devices/system/cpu/possible";
  EXPECT_EQ(lines(file), file + ":1\t" + read(file));
}

TEST_F(Inputs, AFileWhoseNameLooksLikeAPatternIsThatFile) {
  write("a[1]*.txt", "literal\n");
  write("a1.txt", "matched\n");
  EXPECT_EQ(count({"a[1]*.txt"}), "literal\t1\n");
}

TEST_F(Inputs, TheSameFileTwiceCountsTwice) {
  write("text", "a b\n");
  EXPECT_EQ(count({"text", "./text", path("text").string()}), "a\t3\nb\t3\n");
  EXPECT_EQ(lines("--chunk-size 1 text text"), "text:1\ta b\ntext:1\ta b\n");
}

TEST_F(Inputs, NamesMayHoldAnyBytes) {
  const std::string name = "odd name\n\xff'\"$(x)";
  write(name, "word\n");
  EXPECT_EQ(count({name}), "word\t1\n");
}

TEST_F(Inputs, NamesThatStartWithADashComeAfterTwoDashes) {
  write("-j", "word\n");
  EXPECT_EQ(count({"--", "-j"}), "word\t1\n");
  EXPECT_EQ(count({"./-j"}), "word\t1\n");
}

TEST_F(Inputs, AFileThatGrowsIsReadAsLongAsItWas) {
  write("text", "BOOM\nb\n");
  EXPECT_EQ(output_of(command({"run", plugin("faulty"), "-q", "--set", "fault=append", "--set",
                               "path=text", "--chunk-size", "2", "text"})),
            "BOOM\t1\nb\t1\n");
  EXPECT_EQ(read(path("text")), "BOOM\nb\none more line\n");
}

TEST_F(Inputs, ALineMayBeLongerThanAChunkOrABlock) {
  const std::string word(1'000'000, 'w');
  write("text", "a " + word + "\nb " + word + " c");
  for (const char* chunk : {"20000", "300000"}) {
    EXPECT_EQ(output_of(command({"run", plugin("faulty"), "-q", "--chunk-size", chunk, "text"})),
              "a " + word + "\t1\nb " + word + " c\t1\n")
        << chunk;
    EXPECT_EQ(output_of(command({"run", "wordcount", "-q", "--chunk-size", chunk, "text"})),
              "a\t1\nb\t1\nc\t1\n" + word + "\t2\n")
        << chunk;
  }
}

}  // namespace
}  // namespace muster::testing
