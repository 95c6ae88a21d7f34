#include <algorithm>
#include <iterator>
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

bool declares(const plugin::TaskInfo& task, const plugin::Setting& setting) {
  return std::any_of(task.parameters.begin(), task.parameters.end(),
                     [&](const auto& each) { return each.name == setting.name; });
}

void refuse_undeclared(const std::vector<plugin::TaskInfo>& tasks,
                       const std::vector<plugin::Setting>& settings) {
  for (const plugin::Setting& setting : settings) {
    if (std::any_of(tasks.begin(), tasks.end(),
                    [&](const auto& task) { return declares(task, setting); })) {
      continue;
    }
    throw Error(ErrorCode::usage, fmt::format("no task has a parameter '{}'", setting.name),
                "'muster plugin list' shows the parameters");
  }
}

class Checker {
 public:
  Checker(const std::filesystem::path& file, ProcessPoolExecutor& pool, const std::stop_token& stop)
      : file_(file), jobs_(pool, observer_, stop) {
    write_file_synced(input(), random_text(1));
  }

  std::vector<CheckResult> check(const plugin::TaskInfo& info,
                                 const std::vector<plugin::Setting>& given) {
    settings_.clear();
    std::copy_if(given.begin(), given.end(), std::back_inserter(settings_),
                 [&](const plugin::Setting& each) { return declares(info, each); });
    const std::string& task = info.name;
    const char* runs = "runs over random text";
    std::string first;
    try {
      first = run(task, {}, 1);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;
      if (error.code() != ErrorCode::usage) {
        return {{task, runs, CheckOutcome::failed, error.what()}};
      }
      if (!settings_.empty()) throw;
      return {{task, runs, CheckOutcome::skipped, fmt::format("{}; give --set", error.what())}};
    }
    return {{task, runs, CheckOutcome::passed, {}},
            compare(task, "deterministic: the same again", first, {}, 1),
            compare(task, "independent of chunking: 1 KiB", first, 1024, 1),
            compare(task, "independent of chunking: 7 KiB", first, 7 * 1024, 1),
            compare(task, "independent of partitioning: 5", first, 4096, 5)};
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
      return {task, what, CheckOutcome::failed, error.what()};
    }
    if (got == expected) return {task, what, CheckOutcome::passed, {}};
    const auto differ = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end());
    const auto at = static_cast<std::size_t>(differ.first - expected.begin());
    const auto start = at == 0 ? 0 : expected.rfind('\n', at - 1) + 1;
    return {task, what, CheckOutcome::failed,
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

std::vector<CheckResult> check_tasks(const std::filesystem::path& file,
                                     const std::vector<plugin::TaskInfo>& tasks,
                                     const std::vector<plugin::Setting>& settings,
                                     ProcessPoolExecutor& pool, const std::stop_token& stop) {
  refuse_undeclared(tasks, settings);
  Checker checker(file, pool, stop);
  std::vector<CheckResult> out;
  for (const plugin::TaskInfo& each : tasks) {
    const auto results = checker.check(each, settings);
    out.insert(out.end(), results.begin(), results.end());
  }
  return out;
}

}  // namespace muster::cli
