#include "proc.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>

#include <unistd.h>

namespace muster::test {
namespace {

/// State and parent of a process or thread, of which this is the folder; '-' if there is none.
std::pair<char, pid_t> look_up(const std::string& folder) {
  std::ifstream file(folder + "/stat");
  std::string line;
  if (!std::getline(file, line)) return {'-', 0};
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  char state = '-';
  pid_t parent = 0;
  rest >> state >> parent;
  return {state, parent};
}

std::string folder_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

std::size_t count_entries(const std::string& directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      continue;
    }
    const pid_t pid = std::stoi(name);
    if (look_up(folder_of(pid)).second == parent) out.push_back(pid);
  }
  return out;
}

std::vector<pid_t> descendants_of(pid_t ancestor) {
  std::vector<pid_t> out;
  for (const pid_t child : children_of(ancestor)) {
    out.push_back(child);
    for (const pid_t grandchild : descendants_of(child)) out.push_back(grandchild);
  }
  return out;
}

std::vector<std::string> descriptors_of(pid_t pid) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(pid) + "/fd")) {
    std::error_code closed_meanwhile;
    const auto target = std::filesystem::read_symlink(entry.path(), closed_meanwhile);
    out.push_back(entry.path().filename().string() + " " + target.string());
  }
  return out;
}

std::size_t count_threads() { return count_entries("/proc/self/task"); }

bool other_threads_sleep() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return std::all_of(begin(threads), end(threads),
                     [own = std::to_string(::gettid())](const auto& each) {
                       return each.path().filename() == own || look_up(each.path()).first == 'S';
                     });
}

std::size_t count_rings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("memfd:muster-ring") != std::string::npos) ++count;
  }
  return count;
}

bool is_gone(pid_t pid) {
  const char state = state_of(pid);
  return state == '-' || state == 'Z' || state == 'X';
}

std::chrono::duration<double> cpu_time(pid_t pid) {
  std::ifstream file(folder_of(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream rest(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  // As proc(5) numbers them; the third is the first behind the name.
  constexpr int user_field = 14;
  std::string skipped;
  for (int field = 3; field < user_field; ++field) rest >> skipped;
  double user = 0;
  double system = 0;
  rest >> user >> system;
  return std::chrono::duration<double>((user + system) /
                                       static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

std::uint64_t resident_bytes(pid_t pid) {
  std::ifstream file(folder_of(pid) + "/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

char state_of(pid_t pid) { return look_up(folder_of(pid)).first; }

}  // namespace muster::test
