#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/random.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cli/plugin_check.hpp>
#include <muster/jobs/run_job.hpp>

namespace muster::cli {
namespace {

class SilentObserver final : public observe::JobObserver {
 public:
  void planned(const observe::JobPlanned&) override {}
  void progress(const observe::StageProgress&) override {}
  void attempt_failed(const observe::AttemptFailed&) override {}
};

// Lines of random words over a small vocabulary, with repeats, empty lines, odd bytes, and no
// newline at the end.
std::string random_text(std::uint64_t seed) {
  Random random(seed);
  std::string text;
  for (int line = 0; line < 2000; ++line) {
    for (std::uint64_t words = random.below(12); words > 0; --words) {
      const std::uint64_t number = random.below(1 + random.below(3000));
      text += fmt::format("{}{} ", number % 7 == 0 ? "A" : "b", number * number);
    }
    if (random.below(50) == 0) text += "\xff\t\r";
    text += '\n';
  }
  return text + "the end";
}

class Checker {
 public:
  Checker(const std::filesystem::path& file, const std::vector<plugin::Setting>& settings,
          ProcessPoolExecutor& pool, const std::stop_token& stop)
      : file_(file), settings_(settings), jobs_(pool, observer_, stop) {
    write_file_synced(input(), random_text(1));
  }

  std::vector<CheckResult> check(const std::string& task) {
    std::vector<CheckResult> out;
    std::string first;
    try {
      first = run(task, {}, 1);
    } catch (const Error& error) {
      const bool refused = error.code() == ErrorCode::usage;
      if (error.code() == ErrorCode::cancelled) throw;
      out.push_back(
          {task, "runs over random text", refused,
           refused ? fmt::format("not checked: {}; give --set", error.what()) : error.what()});
      return out;
    }
    out.push_back({task, "runs over random text", true, {}});
    out.push_back(compare(task, "deterministic: the same again", first, {}, 1));
    out.push_back(compare(task, "independent of chunking: 1 KiB", first, 1024, 1));
    out.push_back(compare(task, "independent of chunking: 7 KiB", first, 7 * 1024, 1));
    out.push_back(compare(task, "independent of partitioning: 5", first, 4096, 5));
    return out;
  }

 private:
  std::filesystem::path input() const { return temp_.path() / "random.txt"; }

  std::string run(const std::string& task, std::optional<std::uint64_t> chunk_bytes,
                  std::uint32_t partitions) {
    jobs::JobSpec spec;
    spec.task = file_.string() + ":" + task;
    spec.inputs = {input().string()};
    spec.settings = settings_;
    spec.chunk_bytes = chunk_bytes;
    spec.partitions = partitions;
    spec.temp_parent = temp_.path();
    std::string result;
    jobs_.run(spec, [&](std::string_view text) { result.append(text); });
    return result;
  }

  CheckResult compare(const std::string& task, const char* what, const std::string& expected,
                      std::optional<std::uint64_t> chunk_bytes, std::uint32_t partitions) {
    std::string got;
    try {
      got = run(task, chunk_bytes, partitions);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;
      return {task, what, false, error.what()};
    }
    if (got == expected) return {task, what, true, {}};
    const auto differ = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end());
    const auto at = static_cast<std::size_t>(differ.first - expected.begin());
    const auto start = at == 0 ? 0 : expected.rfind('\n', at - 1) + 1;
    return {task, what, false,
            fmt::format("first difference: '{}' against '{}'", line_at(expected, start),
                        line_at(got, start))};
  }

  static std::string line_at(const std::string& text, std::size_t start) {
    if (start >= text.size()) return {};
    return text.substr(start, text.find('\n', start) - start);
  }

  std::filesystem::path file_;
  std::vector<plugin::Setting> settings_;
  TempDir temp_{default_temp_parent()};
  SilentObserver observer_;
  jobs::LocalJobs jobs_;
};

}  // namespace

std::vector<CheckResult> check_plugin(const std::filesystem::path& file,
                                      const plugin::PluginInfo& info,
                                      const std::vector<plugin::Setting>& settings,
                                      ProcessPoolExecutor& pool, const std::stop_token& stop) {
  Checker checker(file, settings, pool, stop);
  std::vector<CheckResult> out;
  for (const plugin::TaskInfo& each : info.tasks) {
    const auto results = checker.check(each.name);
    out.insert(out.end(), results.begin(), results.end());
  }
  return out;
}

}  // namespace muster::cli
