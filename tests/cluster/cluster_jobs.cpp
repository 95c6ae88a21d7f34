#include "cluster_jobs.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

namespace muster::testing {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string ClusterJobs::read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void ClusterJobs::write(const std::string& name, const std::string& text) {
  std::ofstream(path(name), std::ios::binary) << text;
}

void ClusterJobs::write_slow_lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += fmt::format("BOOM {:04}\n", i);
  write("lines", text);
  for (int i = 0; i < count; ++i) expected += fmt::format("BOOM {:04}\t1\n", i);
}

std::vector<std::string> ClusterJobs::slow(const std::vector<std::string>& more) const {
  std::vector<std::string> out{std::string(MUSTER_TEST_PLUGINS) + "/faulty.so:faulty",
                               "lines",
                               "--chunk-size",
                               "100",
                               "--partitions",
                               "3",
                               "--set",
                               "fault=slow"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::vector<std::string> ClusterJobs::run_slow(const std::vector<std::string>& more) const {
  std::vector<std::string> out = slow(more);
  out.insert(out.begin(), "run");
  return out;
}

std::vector<std::string> ClusterJobs::for_cluster(std::vector<std::string> arguments) const {
  arguments.insert(arguments.end(), {"--coordinator", address()});
  arguments.insert(arguments.end(), as_client.begin(), as_client.end());
  return arguments;
}

std::string ClusterJobs::submit(const std::vector<std::string>& task) const {
  std::vector<std::string> arguments{"submit"};
  arguments.insert(arguments.end(), task.begin(), task.end());
  const Finished result = on_cluster(arguments);
  EXPECT_EQ(result.exit_code, 0) << result.text();
  return result.out.substr(0, result.out.find('\n'));
}

int ClusterJobs::chunks_done(const std::string& job, const std::string& stage) const {
  const std::string text = status(job);
  const auto at = text.find("\n" + stage + " ");
  return at == std::string::npos ? 0 : std::stoi(text.substr(at + 1 + stage.size()));
}

bool ClusterJobs::has_done(const std::string& job, int chunks) const {
  return eventually([&] { return chunks_done(job, "map") >= chunks; }, 60s);
}

void ClusterJobs::expect_success(const std::string& job) const {
  const Finished followed = on_cluster({"logs", job, "--follow"});
  EXPECT_NE(status(job).find("succeeded"), std::string::npos) << followed.out;
}

std::string ClusterJobs::result(const std::string& directory) const {
  std::vector<std::string> lines;
  for (const auto& part : fs::directory_iterator(path(directory))) {
    if (!part.path().filename().string().starts_with("part-")) continue;
    std::istringstream in(read(part.path()));
    for (std::string line; std::getline(in, line);) lines.push_back(line + "\n");
  }
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const std::string& each : lines) out += each;
  return out;
}

void ClusterJobs::expect_same_files(const std::string& a, const std::string& b, int count) const {
  int files = 0;
  for (const auto& each : fs::directory_iterator(path(a))) {
    EXPECT_EQ(read(each.path()), read(path(b) / each.path().filename())) << each.path();
    ++files;
  }
  EXPECT_EQ(files, count);
  EXPECT_EQ(std::distance(fs::directory_iterator(path(b)), {}), count);
}

int ClusterJobs::count(const std::string& text, const std::string& what) {
  int out = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++out;
  return out;
}

}  // namespace muster::testing
