#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/mapreduce/chunks.hpp>

namespace muster::mapreduce {
namespace {

constexpr std::uint64_t mebi = std::uint64_t{1} << 20U;

std::vector<InputFile> files_of(const std::vector<std::uint64_t>& sizes) {
  std::vector<InputFile> out;
  for (const std::uint64_t size : sizes) out.push_back({"/f", "f", size});
  return out;
}

// Every byte of every file once, in order; no empty range, no empty chunk.
void expect_cover(const std::vector<InputFile>& files, const std::vector<Chunk>& chunks) {
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  const auto skip_done = [&] {
    while (file < files.size() && offset == files[file].size) {
      ++file;
      offset = 0;
    }
  };
  skip_done();
  for (const Chunk& chunk : chunks) {
    ASSERT_FALSE(chunk.empty());
    for (const Range& range : chunk) {
      ASSERT_EQ(range.file, file);
      ASSERT_EQ(range.offset, offset);
      ASSERT_GT(range.length, 0U);
      offset += range.length;
      ASSERT_LE(offset, files[file].size);
      skip_done();
    }
  }
  EXPECT_EQ(file, files.size());
}

TEST(CutIntoChunks, covers_every_byte_once_in_order) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint64_t> sizes(random.below(30));
    for (auto& size : sizes) size = random.chance(0.2) ? 0 : random.below(1U << random.below(31));
    const auto files = files_of(sizes);
    ChunkOptions options;
    options.workers = 1 + static_cast<unsigned>(random.below(20));
    expect_cover(files, cut_into_chunks(files, options));
    std::uint64_t total = 1;
    for (const auto size : sizes) total += size;
    options.chunk_bytes = 1 + total / (1 + random.below(5000));
    expect_cover(files, cut_into_chunks(files, options));
  }
}

TEST(CutIntoChunks, of_nothing_gives_nothing) {
  EXPECT_TRUE(cut_into_chunks({}, {}).empty());
  EXPECT_TRUE(cut_into_chunks(files_of({0, 0, 0}), {}).empty());
}

TEST(CutIntoChunks, passes_over_empty_files) {
  const auto chunks = cut_into_chunks(files_of({0, 5, 0, 0, 3, 0}), {});
  ASSERT_EQ(chunks.size(), 1U);
  EXPECT_EQ(chunks[0], (Chunk{{1, 0, 5}, {4, 0, 3}}));
}

TEST(CutIntoChunks, guided_sizes_shrink_within_their_bounds) {
  for (const unsigned workers : {1U, 2U, 16U, 500U}) {
    for (const std::uint64_t size : {mebi, 100 * mebi, 4096 * mebi, 100'000 * mebi}) {
      const auto chunks = cut_into_chunks(files_of({size}), {workers, {}});
      std::uint64_t before = chunk_bytes_max;
      for (std::size_t i = 0; i < chunks.size(); ++i) {
        const std::uint64_t bytes = bytes_of(chunks[i]);
        EXPECT_LE(bytes, before);
        const bool last = i + 1 == chunks.size();
        EXPECT_TRUE(last || bytes >= chunk_bytes_min);
        before = bytes;
      }
    }
  }
}

TEST(CutIntoChunks, guided_sizes_grow_with_an_input_that_would_give_too_many) {
  const std::uint64_t exbibyte = std::uint64_t{1} << 60U;
  const auto chunks = cut_into_chunks({{"huge", "huge", exbibyte}}, {8, std::nullopt});
  EXPECT_LE(chunks.size(), chunks_max);
  std::uint64_t covered = 0;
  for (const Chunk& each : chunks) covered += bytes_of(each);
  EXPECT_EQ(covered, exbibyte);
}

TEST(CutIntoChunks, guided_sizes_leave_every_worker_something) {
  const auto chunks = cut_into_chunks(files_of({1024 * mebi}), {4, {}});
  EXPECT_GE(chunks.size(), 8U);
  EXPECT_LE(bytes_of(chunks.front()), 256 * mebi);
  EXPECT_LE(bytes_of(chunks.back()), 16 * mebi);
}

TEST(CutIntoChunks, fixed_sizes_are_exact_but_for_the_last) {
  const auto chunks = cut_into_chunks(files_of({10, 7, 4}), {3, 8});
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(chunks[0], (Chunk{{0, 0, 8}}));
  EXPECT_EQ(chunks[1], (Chunk{{0, 8, 2}, {1, 0, 6}}));
  EXPECT_EQ(chunks[2], (Chunk{{1, 6, 1}, {2, 0, 4}}));
  EXPECT_EQ(bytes_of(chunks[1]), 8U);
}

ErrorCode refusal(std::uint64_t size, std::uint64_t chunk_bytes) {
  try {
    cut_into_chunks(files_of({size}), {1, chunk_bytes});
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::broken;  // stands for: taken
}

TEST(CutIntoChunks, refuses_more_chunks_than_it_may_make) {
  EXPECT_EQ(refusal(chunks_max * 2, 2), ErrorCode::broken);
  EXPECT_EQ(refusal(chunks_max * 2 + 2, 2), ErrorCode::usage);
  EXPECT_EQ(refusal(UINT64_MAX, 1), ErrorCode::usage);
}

TEST(CutIntoChunks, refuses_even_one_chunk_too_many) {
  EXPECT_EQ(refusal(chunks_max * 2 + 1, 2), ErrorCode::usage);
}

}  // namespace
}  // namespace muster::mapreduce
