#include "leak_check.hpp"

#include <algorithm>
#include <array>
#include <fstream>

#include <unistd.h>

#include <muster/executors/timer.hpp>

#include "proc.hpp"
#include "shared_memory.hpp"

namespace muster::test {
namespace {

/// stdin, stdout, stderr, its socket to us, and the signalfd.
constexpr std::size_t idle_zygote_fds = 5;

// What ThreadSanitizer starts to look something up, even for a report that is then suppressed.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MUSTER_HAS_SYMBOLIZER
extern "C" void __sanitizer_symbolize_pc(void*, const char*, char*, std::size_t);  // NOLINT
#endif
#endif

void start_symbolizer() {
#ifdef MUSTER_HAS_SYMBOLIZER
  std::array<char, 256> text{};
  __sanitizer_symbolize_pc(__builtin_return_address(0), "%f", text.data(), text.size());
#endif
}

bool is_zygote(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  return std::getline(in, name) && name == "muster-zygote";
}

void add_difference(std::string& text, const char* what, std::size_t before, std::size_t now) {
  if (now == before) return;
  text += std::string(what) + ": " + std::to_string(now) + " after the test, " +
          std::to_string(before) + " before it\n";
}

void add_descriptors(std::string& text, const std::vector<std::string>& before,
                     const std::vector<std::string>& now) {
  if (now.size() == before.size()) return;
  add_difference(text, "descriptors", before.size(), now.size());
  for (const std::string& each : before) text += "  before: " + each + "\n";
  for (const std::string& each : now) text += "  after: " + each + "\n";
}

}  // namespace

Holdings Holdings::now() {
  Holdings out{children_of(::getpid()), descriptors_of(::getpid()), count_rings(), count_threads()};
  std::sort(out.children.begin(), out.children.end());
  return out;
}

LeakCheck::LeakCheck(Duration patience) : patience_(patience) {
  // The program's timer is never destroyed. The thread sanitizer starts a thread of its own with
  // the first one.
  detail::Timer::of_this_process().call_at(Clock::now(), [] {});
  start_symbolizer();
}

void LeakCheck::OnTestStart(const testing::TestInfo&) {
  before_ = Holdings::now();
  eventually(
      [this] {
        Holdings now = Holdings::now();
        const bool is_settled = now == before_;
        before_ = std::move(now);
        return is_settled;
      },
      patience_);
}

void LeakCheck::OnTestEnd(const testing::TestInfo& test) {
  if (eventually([this] { return what_is_left().empty(); }, patience_)) return;
  ADD_FAILURE() << test.name() << " left something behind:\n" << what_is_left();
}

std::string LeakCheck::what_is_left() const {
  const Holdings now = Holdings::now();
  std::string text;
  add_descriptors(text, before_.descriptors, now.descriptors);
  add_difference(text, "shared memory", before_.rings, now.rings);
  add_difference(text, "threads", before_.threads, now.threads);
  if (now.children != before_.children) {
    text += "child processes: " + std::to_string(now.children.size()) + " after the test, " +
            std::to_string(before_.children.size()) + " before it, or others\n";
  }
  // The zygote is the one child that stays.
  for (const pid_t zygote : before_.children) {
    if (!is_zygote(zygote)) continue;
    add_difference(text, "task processes", 0, children_of(zygote).size());
    if (std::find(now.children.begin(), now.children.end(), zygote) != now.children.end()) {
      add_difference(text, "descriptors of the zygote", idle_zygote_fds,
                     descriptors_of(zygote).size());
    }
  }
  return text;
}

}  // namespace muster::test
