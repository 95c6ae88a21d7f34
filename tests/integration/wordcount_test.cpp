// The main job against the core utilities, byte for byte.
#include <algorithm>

#include <fmt/format.h>

#include "support/muster_test.hpp"
#include "support/reference.hpp"

namespace muster::testing {
namespace {

namespace fs = std::filesystem;

using Texts = std::vector<std::string>;

// Files that are text by the same rule as grep -I: no NUL byte; in order, up to a total size.
constexpr const char* doc_files =
    "find -P /usr/share/doc -type f -size -4000k | sort | xargs -d '\\n' grep -lI '' | "
    "xargs -d '\\n' stat -c '%s %n' | awk '{ total += $1 } total < 25000000' | cut -d' ' -f2-";

class WordCount : public MusterTest {
 protected:
  // The counts of the files whose names `list`, a shell command, prints.
  std::string reference(Counting counting, const std::string& list) const {
    return output_of(
        shell("{ " + list + "; } | " + separated_files() + " | " + counting_pipeline(counting)));
  }

  void expect_counts(const std::string& expected, Counting counting, const Texts& inputs,
                     const Texts& options) const {
    Texts arguments = {"run", "wordcount", "--quiet"};
    for (const Texts& each : {settings(counting), options, inputs}) {
      arguments.insert(arguments.end(), each.begin(), each.end());
    }
    SCOPED_TRACE(fmt::format("options: {}", fmt::join(options, " ")));
    const Finished result = muster(arguments);
    expect_ok(result);
    EXPECT_EQ(result.err, "");
    // Not EXPECT_EQ: megabytes of difference help nobody.
    EXPECT_TRUE(result.out == expected)
        << "first difference at byte "
        << std::mismatch(expected.begin(), expected.end(), result.out.begin(), result.out.end())
                   .first -
               expected.begin();
  }

  // Writes the nasty files into work()/nasty; their names as arguments, and as a list.
  Texts write_nasty_files(std::size_t bytes_max) const {
    Texts names;
    for (const auto& [name, text] : nasty_files(20)) {
      if (text.size() <= bytes_max) names.push_back(write("nasty/" + name, text));
    }
    write("list", fmt::format("{}\n", fmt::join(names, "\n")));
    return names;
  }
};

TEST_F(WordCount, CountsTheLicencesAsTheCoreUtilitiesDo) {
  for (const Counting counting : {Counting::tokens, Counting::lower_letters}) {
    // Symbolic links that are named are followed, by cat and by Muster.
    const std::string expected = reference(counting, "ls -d /usr/share/common-licenses/*");
    ASSERT_GT(expected.size(), 1000U);
    for (const char* workers : {"1", "2", "8"}) {
      for (const char* chunk : {"1000", "7777", "1M"}) {
        expect_counts(expected, counting, {"/usr/share/common-licenses/*"},
                      {"-j", workers, "--chunk-size", chunk, "--partitions", "3"});
      }
      expect_counts(expected, counting, {"/usr/share/common-licenses/*"}, {"-j", workers});
    }
  }
}

TEST_F(WordCount, CountsThePlainTextBelowUsrShareDoc) {
  const std::string listed = output_of(shell(doc_files));
  ASSERT_FALSE(listed.empty());
  Texts files;
  for (std::size_t at = 0; at < listed.size();) {
    const std::size_t end = listed.find('\n', at);
    files.push_back(listed.substr(at, end - at));
    at = end + 1;
  }
  for (const Counting counting : {Counting::tokens, Counting::lower_letters}) {
    const std::string expected = reference(counting, doc_files);
    expect_counts(expected, counting, files, {});
    expect_counts(expected, counting, files, {"-j", "1", "--chunk-size", "1M"});
    expect_counts(expected, counting, files,
                  {"-j", "8", "--chunk-size", "64K", "--partitions", "16"});
  }
}

TEST_F(WordCount, TakesADirectoryWithAllTextsBelowIt) {
  const std::string expected =
      reference(Counting::lower_letters, "find -P /usr/share/doc -type f -name copyright");
  output_of(
      shell("mkdir docs && cd /usr/share/doc && find -P . -type f -name copyright | "
            "cpio -pdL --quiet \"$OLDPWD/docs\" 2>/dev/null || "
            "find -P . -type f -name copyright -exec cp --parents -t \"$OLDPWD/docs\" {} +"));
  expect_counts(expected, Counting::lower_letters, {"docs"}, {"-j", "2"});
}

TEST_F(WordCount, CountsTwoHundredNastyFiles) {
  const Texts names = write_nasty_files(SIZE_MAX);
  ASSERT_EQ(names.size(), 200U);
  for (const Counting counting : {Counting::tokens, Counting::lower_letters}) {
    const std::string expected = reference(counting, "cat list");
    for (const char* workers : {"1", "2", "8"}) {
      for (const char* chunk : {"1000", "4096", "1M"}) {
        for (const char* partitions : {"1", "3", "16"}) {
          expect_counts(expected, counting, names,
                        {"-j", workers, "--chunk-size", chunk, "--partitions", partitions});
        }
      }
    }
  }
}

TEST_F(WordCount, CutsNastyFilesAtEveryByte) {
  Texts names = write_nasty_files(260);
  names.resize(40);
  write("list", fmt::format("{}\n", fmt::join(names, "\n")));
  for (const Counting counting : {Counting::tokens, Counting::lower_letters}) {
    const std::string expected = reference(counting, "cat list");
    for (const char* chunk : {"1", "3", "7", "64"}) {
      expect_counts(expected, counting, names, {"--chunk-size", chunk, "--partitions", "3"});
    }
  }
}

TEST_F(WordCount, CountsEachNastyFileByItself) {
  Texts names = write_nasty_files(SIZE_MAX);
  names.resize(25);  // the named ones, and some of the others
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const std::string expected = reference(Counting::tokens, "echo " + name);
    const bool small = fs::file_size(path(name)) < 1000;
    expect_counts(expected, Counting::tokens, {name}, {});
    expect_counts(expected, Counting::tokens, {name}, {"--chunk-size", small ? "7" : "999"});
  }
}

TEST_F(WordCount, CountsALargerTextInManyProcesses) {
  write("text", skewed_text(40'000'000, 3));
  for (const Counting counting : {Counting::tokens, Counting::lower_letters}) {
    const std::string expected = reference(counting, "echo text");
    expect_counts(expected, counting, {"text"}, {});
    expect_counts(expected, counting, {"text"}, {"-j", "1", "--chunk-size", "3M"});
    expect_counts(expected, counting, {"text"},
                  {"-j", "8", "--chunk-size", "999999", "--partitions", "16"});
    // Little memory: the tables of the map side are written out many times.
    expect_counts(expected, counting, {"text"}, {"--memory", "8M", "--partitions", "16"});
  }
}

}  // namespace
}  // namespace muster::testing
