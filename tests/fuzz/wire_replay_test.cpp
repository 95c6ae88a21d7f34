#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "wire_fuzz.hpp"

// The seeds of the fuzzer, and what it has found, as an ordinary test. To write the seeds anew
// after messages were added: MUSTER_WRITE_CORPUS=1 fuzz_wire_replay

namespace muster {
namespace {

const std::filesystem::path corpus = MUSTER_CORPUS_DIR;

TEST(WireFuzzReplay, corpus_does_no_harm) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(corpus)) {
    SCOPED_TRACE(entry.path());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), {}};
    ASSERT_FALSE(input.empty());
    fuzz::try_wire(input);
    ++count;
  }
  EXPECT_GE(count, fuzz::wire_seeds().size());
}

TEST(WireFuzzReplay, every_message_is_in_a_seed) {
  int number = 0;
  for (const Bytes& seed : fuzz::wire_seeds()) {
    const std::filesystem::path path = corpus / ("message_" + std::to_string(number++));
    if (std::getenv("MUSTER_WRITE_CORPUS") != nullptr) {
      std::ofstream(path, std::ios::binary) << seed;
    }
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file.is_open()) << path << ": see the top of this file";
    const std::string stored{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(stored, seed) << path;
  }
}

}  // namespace
}  // namespace muster
