#include <gtest/gtest.h>

#include <muster/launch/restart_pacer.hpp>

#include "time_of_test.hpp"

namespace muster::launch {
namespace {

using namespace std::chrono_literals;

TEST(RestartPacer, TheFirstStartIsAtOnce) {
  RestartPacer pacer;
  EXPECT_FALSE(pacer.may_start(start, 0));
  EXPECT_TRUE(pacer.may_start(start, 3));
}

TEST(RestartPacer, WhatHasLivedLongIsReplacedAtOnce) {
  RestartPacer pacer;
  pacer.started(start);
  EXPECT_FALSE(pacer.may_start(start + 31s, 0));
  EXPECT_TRUE(pacer.may_start(start + 4h, 1));
}

TEST(RestartPacer, PausesDoubleWhileStartsFail) {
  RestartPacer pacer;
  TimePoint now = start;
  const Duration pauses[] = {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s};
  for (const Duration pause : pauses) {
    pacer.started(now);
    now += 100ms;
    EXPECT_FALSE(pacer.may_start(now, 1));
    EXPECT_FALSE(pacer.may_start(now + pause - 1ms, 1));
    now += pause;
    EXPECT_TRUE(pacer.may_start(now, 1)) << std::chrono::duration<double>(pause).count();
  }
}

TEST(RestartPacer, LivingWorkersMakeItForget) {
  RestartPacer pacer;
  pacer.started(start);
  EXPECT_FALSE(pacer.may_start(start + 1s, 1));
  pacer.started(start + 3s);
  EXPECT_FALSE(pacer.may_start(start + 20s, 0)) << "not yet";
  EXPECT_FALSE(pacer.may_start(start + 40s, 0));
  EXPECT_TRUE(pacer.may_start(start + 41s, 1));
}

}  // namespace
}  // namespace muster::launch
