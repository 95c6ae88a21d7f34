#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include <muster/dashboard/metrics_text.hpp>

namespace muster::dashboard {
namespace {

/// By series, as it is written: `muster_workers{state="open"}`. Checks what the format asks for.
std::map<std::string, double> series(const std::string& text) {
  static const std::regex help("# HELP ([a-z_]+) [^\\n]+\\.");
  static const std::regex type("# TYPE ([a-z_]+) (counter|gauge)");
  static const std::regex sample("(([a-z_]+)(\\{[a-z_]+=\"[^\"\\\\]*\"\\})?) ([0-9.e+-]+)");
  std::map<std::string, double> out;
  std::set<std::string> named;
  std::string name;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (std::regex_match(line, found, help)) {
      name = found[1];
      EXPECT_TRUE(named.insert(name).second) << name << " comes twice";
    } else if (std::regex_match(line, found, type)) {
      EXPECT_EQ(found[1], name);
      EXPECT_EQ(found[2] == "counter", name.ends_with("_total")) << name;
    } else if (std::regex_match(line, found, sample)) {
      EXPECT_EQ(found[2], name);
      EXPECT_TRUE(out.emplace(found[1], std::stod(found[4])).second) << line;
    } else {
      ADD_FAILURE() << line;
    }
  }
  EXPECT_TRUE(text.ends_with("\n"));
  return out;
}

TEST(MetricsText, HasEachNumberOnce) {
  cluster::CoordinatorNumbers numbers;
  numbers.workers = {1, 2, 3, 4, 50, 6};
  numbers.calls = {10, 7, 2};
  numbers.ended_jobs = {21, 22, 23};
  numbers.clients = 31;
  numbers.open_calls = 32;
  numbers.open_jobs = 33;
  numbers.open_chunks = 34;
  numbers.attempts = 35;
  numbers.scheduler = {41, 42, 43, 44, 45};
  numbers.sessions = {.bad_frames = 51,
                      .refused = 52,
                      .stale = 53,
                      .resumed = 54,
                      .expired = 55,
                      .malformed = 56,
                      .unknown = 57};
  auto got = series(metrics_text(numbers));
  EXPECT_GE(got["process_cpu_seconds_total"], 0);
  got.erase("process_cpu_seconds_total");
  const std::map<std::string, double> expected = {
      {"muster_build_info{version=\"1.0.0\"}", 1},
      {"muster_workers{state=\"open\"}", 1},
      {"muster_workers{state=\"paused\"}", 2},
      {"muster_workers{state=\"draining\"}", 3},
      {"muster_workers{state=\"cut_off\"}", 4},
      {"muster_worker_slots", 50},
      {"muster_workers_lost_total", 6},
      {"muster_clients", 31},
      {"muster_calls_open", 32},
      {"muster_calls_total", 10},
      {"muster_call_results_total{result=\"value\"}", 7},
      {"muster_call_results_total{result=\"error\"}", 2},
      {"muster_jobs_open", 33},
      {"muster_jobs_total{result=\"succeeded\"}", 21},
      {"muster_jobs_total{result=\"failed\"}", 22},
      {"muster_jobs_total{result=\"cancelled\"}", 23},
      {"muster_chunks_open", 34},
      {"muster_attempts", 35},
      {"muster_attempts_total", 41},
      {"muster_chunks_reopened_total", 42},
      {"muster_speculative_attempts_total", 43},
      {"muster_late_results_total", 44},
      {"muster_sessions_resumed_total", 54},
      {"muster_sessions_expired_total", 55},
      {"muster_hellos_refused_total", 52},
      {"muster_frames_refused_total{why=\"damaged\"}", 51},
      {"muster_frames_refused_total{why=\"malformed\"}", 56},
      {"muster_frames_refused_total{why=\"unknown\"}", 57},
      {"muster_frames_refused_total{why=\"session_over\"}", 53},
  };
  EXPECT_EQ(got, expected);
}

}  // namespace
}  // namespace muster::dashboard
