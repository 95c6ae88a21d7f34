#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/cluster/worker/memory_watch.hpp>

namespace muster::cluster {
namespace {

constexpr std::size_t proc_file_bytes_max = std::size_t{1} << 20U;
constexpr Duration ending_within = std::chrono::seconds(5);
// So many started by each other; no task has more.
constexpr std::size_t tree_max = 10'000;

/// Empty if the process is gone.
std::string read_proc(const std::string& path) {
  try {
    return read_file(path, proc_file_bytes_max);
  } catch (const Error&) {
    return {};
  }
}

/// Without shares: what forked processes have in common counts for each. Cheap.
std::uint64_t resident_bytes(pid_t process) {
  static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::istringstream in(read_proc(fmt::format("/proc/{}/statm", process)));
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::uint64_t of_files = 0;
  in >> size >> resident >> of_files;
  return (resident - std::min(resident, of_files)) * page_bytes;
}

/// The right number. The kernel walks all pages of the process for it.
std::optional<std::uint64_t> share_of_process(pid_t process) {
  std::istringstream in(read_proc(fmt::format("/proc/{}/smaps_rollup", process)));
  std::optional<std::uint64_t> kib;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("Pss_Anon:") && !line.starts_with("SwapPss:")) continue;
    kib = kib.value_or(0) + std::stoull(line.substr(line.find(':') + 1));
  }
  if (!kib) return std::nullopt;
  return *kib << 10U;
}

void add_children(pid_t process, std::vector<pid_t>& out) {
  std::error_code gone;  // the process may end at any moment
  std::filesystem::directory_iterator each(fmt::format("/proc/{}/task", process), gone);
  for (; !gone && each != std::filesystem::directory_iterator(); each.increment(gone)) {
    std::istringstream in(read_proc(each->path() / "children"));
    for (pid_t child = 0; in >> child && out.size() < tree_max;) out.push_back(child);
  }
}

template <class Measure>
std::uint64_t sum_of_tree(pid_t process, Measure measure) {
  std::vector<pid_t> tree{process};
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < tree.size(); ++i) {
    sum += measure(tree[i]);
    add_children(tree[i], tree);
  }
  return sum;
}

}  // namespace

std::uint64_t memory_of_tree(pid_t process) {
  return sum_of_tree(process, [](pid_t each) {
    const auto share = share_of_process(each);
    return share ? *share : resident_bytes(each);
  });
}

std::optional<MemoryWatch::Finding> MemoryWatch::look(TimePoint now,
                                                      const std::vector<pid_t>& processes) {
  const bool is_there = std::find(processes.begin(), processes.end(), ending_) != processes.end();
  if (is_there && now < ending_until_) return std::nullopt;
  std::uint64_t at_most = 0;
  for (const pid_t each : processes) at_most += sum_of_tree(each, resident_bytes);
  if (at_most <= bytes_max_) return std::nullopt;
  Finding out;
  for (const pid_t each : processes) {
    const std::uint64_t bytes = memory_of_tree(each);
    out.bytes += bytes;
    if (out.largest != 0 && bytes <= out.largest_bytes) continue;
    out.largest = each;
    out.largest_bytes = bytes;
  }
  if (out.bytes <= bytes_max_) return std::nullopt;
  ending_ = out.largest;
  ending_until_ = now + ending_within;
  return out;
}

}  // namespace muster::cluster
