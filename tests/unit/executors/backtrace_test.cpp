#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unwind.h>

#include <muster/executors/error_codec.hpp>
#include <muster/executors/errors.hpp>
#include <muster/executors/process_pool.hpp>

#include "support.hpp"

// Of the contract's checklist: 85.

namespace muster::test {
namespace {

// With work after each call, or the compiler would jump instead of calling, and leave no frame.
volatile int depth = 0;

[[gnu::noinline]] void throw_here() {
  depth = depth + 1;
  throw std::runtime_error("thrown");
}

[[gnu::noinline]] void on_the_way() {
  throw_here();
  depth = depth - 1;
}

[[gnu::noinline]] Bytes deep_task(TaskContext&, std::string_view) {
  on_the_way();
  depth = depth - 1;
  return {};
}

[[gnu::noinline]] void fall(int levels) {
  if (levels < 0) return;
  if (levels == 0) throw_here();
  fall(levels - 1);
  depth = depth - 1;
}

Bytes abyss_task(TaskContext&, std::string_view) {
  fall(100);
  return {};
}

Bytes tidy_task(TaskContext&, std::string_view) {
  // What is thrown and caught on the way must not be taken for what comes out.
  struct Noisy {
    ~Noisy() {
      try {
        fall(3);
      } catch (const std::runtime_error&) {
        depth = 0;
      }
    }
  };
  const Noisy noisy;
  on_the_way();
  return {};
}

Bytes rethrowing_task(TaskContext&, std::string_view) {
  try {
    on_the_way();
  } catch (const std::runtime_error&) {
    throw;
  }
  return {};
}

/// The start of the function that a frame is in. Forks have it where this process has it.
const void* function_of(const std::string& frame) {
  const std::size_t plus = frame.rfind("+0x");
  if (plus == std::string::npos) return nullptr;
  Dl_info info{};
  void* extra = nullptr;
  if (::dladdr1(reinterpret_cast<const void*>(&function_of), &info, &extra, RTLD_DL_LINKMAP) == 0 ||
      frame.substr(0, plus) != info.dli_fname) {
    return nullptr;
  }
  const auto base = static_cast<const link_map*>(extra)->l_addr;
  return _Unwind_FindEnclosingFunction(
      reinterpret_cast<void*>(base + std::stoull(frame.substr(plus + 1), nullptr, 16)));
}

template <class Function>
const void* start_of(Function* function) {
  return reinterpret_cast<const void*>(function);
}

class BacktraceTest : public PoolTest {
 protected:
  static std::vector<std::string> backtrace_of(TaskFunction task) {
    ProcessPoolExecutor pool({.max_workers = 1});
    try {
      pool.submit_raw(task, {}).result();
    } catch (const RemoteFacts& facts) {
      return facts.backtrace();
    }
    return {"nothing was thrown"};
  }
};

// The last frame is the one that calls raw tasks; no more of the pool is seen.
TEST_F(BacktraceTest, LeadsFromTheThrowToTheTask) {
  const std::vector<std::string> frames = backtrace_of(&deep_task);
  ASSERT_EQ(frames.size(), 4U) << testing::PrintToString(frames);
  EXPECT_EQ(function_of(frames[0]), start_of(&throw_here)) << frames[0];
  EXPECT_EQ(function_of(frames[1]), start_of(&on_the_way)) << frames[1];
  EXPECT_EQ(function_of(frames[2]), start_of(&deep_task)) << frames[2];
}

TEST_F(BacktraceTest, AnEndlessOneKeepsItsInnermostFrames) {
  const std::vector<std::string> frames = backtrace_of(&abyss_task);
  ASSERT_EQ(frames.size(), 32U);
  EXPECT_EQ(function_of(frames.front()), start_of(&throw_here));
  EXPECT_EQ(function_of(frames.back()), start_of(&fall));
}

TEST_F(BacktraceTest, OtherThrowsOnTheWayDoNotCount) {
  const std::vector<std::string> frames = backtrace_of(&tidy_task);
  ASSERT_EQ(frames.size(), 4U) << testing::PrintToString(frames);
  EXPECT_EQ(function_of(frames[1]), start_of(&on_the_way)) << frames[1];
}

TEST_F(BacktraceTest, OfARethrownExceptionItIsTheRethrow) {
  const std::vector<std::string> frames = backtrace_of(&rethrowing_task);
  ASSERT_EQ(frames.size(), 2U) << testing::PrintToString(frames);
}

TEST_F(BacktraceTest, FramesOfLibrariesNameThese) {
  const std::vector<std::string> frames = backtrace_of(
      [](TaskContext&, std::string_view text) { return Bytes(1, std::string(text).at(7)); });
  ASSERT_GE(frames.size(), 2U);
  EXPECT_NE(frames[0].find("libstdc++"), std::string::npos) << frames[0];
}

TEST(EncodeErrorOf, NestsAndSaysWhetherAnythingWasThrown) {
  std::optional<Bytes> inner;
  const auto outer = detail::encode_error_of([&] {
    inner = detail::encode_error_of([] { on_the_way(); });
    on_the_way();
  });
  ASSERT_TRUE(inner && outer);
  for (const auto& each : {inner, outer}) {
    try {
      std::rethrow_exception(detail::decode_exception(*each));
    } catch (const RemoteFacts& facts) {
      ASSERT_GE(facts.backtrace().size(), 2U);
      EXPECT_EQ(function_of(facts.backtrace()[1]), start_of(&on_the_way));
      // The lambda, and what calls it if that was not inlined: no frame of the test.
      EXPECT_LE(facts.backtrace().size(), 4U) << facts.report();
    }
  }
  EXPECT_FALSE(detail::encode_error_of([] {}));
}

}  // namespace
}  // namespace muster::test
