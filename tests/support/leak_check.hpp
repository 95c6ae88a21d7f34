#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/types.h>

#include <muster/base/clock.hpp>

namespace muster::test {

/// What this process holds of the machine at one moment.
struct Holdings {
  std::vector<pid_t> children;
  std::vector<std::string> descriptors;  ///< what they are open on
  std::size_t rings = 0;
  std::size_t threads = 0;

  static Holdings now();
  bool operator==(const Holdings&) const = default;
};

/// Fails every test after which something is left that was not there before it: a process of ours
/// or of the zygote, a descriptor here or there, shared memory, a thread. What ends in its own time
/// (the zygote learns of a pool's end by its socket) is given `patience`.
/// So is what has just been started when a test begins: the test counts from when nothing changes.
///
/// To be appended to the listeners of a program that has called muster::init(): so its failures are
/// the test's own.
class LeakCheck final : public testing::EmptyTestEventListener {
 public:
  explicit LeakCheck(Duration patience = std::chrono::seconds(20));

  void OnTestStart(const testing::TestInfo& test) override;
  void OnTestEnd(const testing::TestInfo& test) override;

 private:
  std::string what_is_left() const;

  Duration patience_;
  Holdings before_;
};

}  // namespace muster::test
