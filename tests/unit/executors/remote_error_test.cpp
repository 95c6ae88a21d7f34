#include <new>
#include <optional>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <muster/executors/error_codec.hpp>
#include <muster/executors/process_pool.hpp>

#include "support.hpp"

namespace muster::test {
namespace {

struct Unusual {};

Bytes throw_kind(TaskContext&, std::string_view kind) {
  if (kind == "runtime") throw std::runtime_error("boom");
  if (kind == "muster") throw Error(ErrorCode::no_space, "the disk is full", "make room");
  if (kind == "int") throw 42;
  if (kind == "unusual") throw Unusual{};
  if (kind == "memory") throw std::bad_alloc();
  if (kind == "long") throw std::runtime_error(std::string(1'000'000, 'x'));
  try {
    try {
      throw std::out_of_range("inner");
    } catch (...) {
      std::throw_with_nested(std::logic_error("middle"));
    }
  } catch (...) {
    std::throw_with_nested(Error(ErrorCode::corrupt, "outer"));
  }
}

class RemoteErrorTest : public PoolTest {
 protected:
  void SetUp() override {
    PoolTest::SetUp();
    pool_.emplace(ProcessPoolOptions{.max_workers = 1});
  }

  RemoteError error_of(const Bytes& kind) {
    try {
      pool_->submit_raw(&throw_kind, kind).result();
    } catch (const RemoteError& error) {
      return error;
    }
    throw std::logic_error("no RemoteError");
  }

  void TearDown() override {
    EXPECT_EQ(pool_->submit_raw(&echo, "alive").result(), "alive");
    pool_.reset();
    PoolTest::TearDown();
  }

  std::optional<ProcessPoolExecutor> pool_;
};

TEST_F(RemoteErrorTest, NamesTypeAndMessage) {
  const RemoteError error = error_of("runtime");
  EXPECT_EQ(error.code(), ErrorCode::task);
  EXPECT_EQ(error.type(), "std::runtime_error");
  EXPECT_STREQ(error.what(), "std::runtime_error: boom");
  EXPECT_EQ(error.chain().size(), 1U);
}

TEST_F(RemoteErrorTest, AnOwnErrorKeepsCodeMessageAndHint) {
  const RemoteError error = error_of("muster");
  EXPECT_EQ(error.code(), ErrorCode::no_space);
  EXPECT_EQ(error.hint(), "make room");
  EXPECT_EQ(error.type(), "muster::Error");
  EXPECT_STREQ(error.what(), "the disk is full");
}

TEST_F(RemoteErrorTest, WhatIsNoExceptionIsNamed) {
  EXPECT_EQ(error_of("int").type(), "int");
  EXPECT_STREQ(error_of("int").what(), "threw int");
  EXPECT_NE(error_of("unusual").type().find("Unusual"), std::string::npos);
}

TEST_F(RemoteErrorTest, LackOfMemoryIsALimit) {
  EXPECT_EQ(error_of("memory").code(), ErrorCode::limit);
  EXPECT_EQ(error_of("memory").type(), "std::bad_alloc");
}

TEST_F(RemoteErrorTest, NestedCausesAreFlattened) {
  const RemoteError error = error_of("nested");
  EXPECT_EQ(error.code(), ErrorCode::corrupt);
  ASSERT_EQ(error.chain().size(), 3U);
  EXPECT_EQ(error.chain()[1].message, "middle");
  EXPECT_EQ(error.chain()[2].type, "std::out_of_range");
  const std::string what = error.what();
  EXPECT_TRUE(what.starts_with("outer; caused by ")) << what;
  EXPECT_TRUE(what.ends_with("std::out_of_range: inner")) << what;
}

TEST_F(RemoteErrorTest, AnEndlessMessageIsCut) {
  EXPECT_LT(std::string(error_of("long").what()).size(), 20'000U);
}

TEST(ErrorCodec, NonsenseIsAnError) {
  Bytes sound;
  try {
    throw std::runtime_error("x");
  } catch (...) {
    sound = detail::encode_current_exception();
  }
  EXPECT_THROW(std::rethrow_exception(detail::decode_exception(sound)), RemoteError);
  for (const Bytes& bad : {Bytes(), Bytes("\xff"), sound + "x", sound.substr(0, 5)}) {
    EXPECT_THROW(std::rethrow_exception(detail::decode_exception(bad)), Error);
  }
}

}  // namespace
}  // namespace muster::test
