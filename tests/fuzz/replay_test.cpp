#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "message_fuzz.hpp"
#include "unit/codec/message_samples.hpp"

// The seeds of the fuzzer, and what it has found, as an ordinary test. To write the seeds anew
// after samples were added: MUSTER_WRITE_CORPUS=1 fuzz_replay

namespace muster {
namespace {

const std::filesystem::path corpus = MUSTER_CORPUS_DIR;

std::string seed_name(int number) { return "sample_" + std::to_string(number); }

TEST(FuzzReplay, corpus_does_no_harm) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(corpus)) {
    SCOPED_TRACE(entry.path());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), {}};
    ASSERT_FALSE(input.empty());
    fuzz::try_message(input);
    ++count;
  }
  EXPECT_GE(count, 53U);
}

TEST(FuzzReplay, every_sample_is_a_seed) {
  int number = 0;
  samples::for_each_sample([&](const auto& value) {
    const std::filesystem::path path = corpus / seed_name(number);
    const std::string seed = std::string(1, static_cast<char>(number)) + samples::encoded(value);
    ++number;
    if (std::getenv("MUSTER_WRITE_CORPUS") != nullptr) {
      std::ofstream(path, std::ios::binary) << seed;
    }
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file.is_open()) << path << ": see the top of this file";
    const std::string stored{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(stored.size(), seed.size()) << path;
  });
}

}  // namespace
}  // namespace muster
