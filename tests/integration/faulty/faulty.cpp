// A plugin that misbehaves in the way it is told to, for the integration tests.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <muster/plugin.hpp>

namespace {

// A real one, at an address that no compiler or sanitizer can know to be bad.
void segfault() {
  void* page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(page, 1, 1);
}

void allocate_for_ever() {
  constexpr std::size_t piece_bytes = std::size_t{64} << 20U;
  std::vector<std::vector<char>> held;
  for (;;) held.emplace_back(piece_bytes);
}

void print() {
  std::printf("rubbish by printf\n");
  std::cout << "rubbish by cout\n" << std::flush;
  static_cast<void>(!::write(STDOUT_FILENO, "rubbish by write\n", 17));
  std::fprintf(stderr, "a word on stderr\n");
}

// Of the process as it was when this was loaded.
const int no_new_privs_at_load = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);

// True for the one process that comes first.
bool comes_first(const std::string& marker) {
  const int fd = ::open(marker.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  const std::string pid = std::to_string(::getpid()) + "\n";
  const bool written = ::write(fd, pid.data(), pid.size()) == static_cast<ssize_t>(pid.size());
  ::close(fd);
  return written;
}

[[noreturn]] void wait_for_ever() {
  for (;;) ::pause();
}

[[noreturn]] void loop_for_ever() {
  for (std::atomic<unsigned> count{0};;) count.fetch_add(1);
}

/// Counts lines; on one that starts with "BOOM" it does what the parameter `fault` names.
class Faulty {
 public:
  using Key = std::string;
  using Value = std::uint64_t;

  explicit Faulty(const muster::Parameters& parameters)
      : fault_(parameters.get("fault")), path_(parameters.get("path")) {
    if (fault_ == "constructor") throw std::runtime_error("thrown by the constructor");
    if (fault_ == "constructor_crash") segfault();
  }

  void map(const muster::Record& line, muster::Emitter<Faulty>& out) const {
    if (line.text.starts_with("BOOM")) act(line);
    out.emit(line.text, 1);
  }

  static Value combine(Value a, Value b) { return a + b; }

 private:
  void act(const muster::Record& line) const {
    if (fault_ == "throw") throw std::runtime_error("thrown on purpose");
    if (fault_ == "throw_int") throw 42;
    if (fault_ == "segfault") segfault();
    if (fault_ == "abort") std::abort();
    if (fault_ == "exit") ::_exit(0);
    if (fault_ == "allocate") allocate_for_ever();
    if (fault_ == "allocate_once" && comes_first(path_)) allocate_for_ever();
    if (fault_ == "print") print();
    if (fault_ == "loop") {
      comes_first(path_);
      loop_for_ever();
    }
    if (fault_ == "truncate" && ::truncate(path_.c_str(), 300'000) != 0) {
      throw std::runtime_error("cannot truncate");
    }
    if (fault_ == "remove" && ::unlink(path_.c_str()) != 0) {
      throw std::runtime_error("cannot remove");
    }
    if (fault_ == "read" && std::ifstream(path_).get() == std::ifstream::traits_type::eof()) {
      throw std::runtime_error("cannot read");
    }
    if (fault_ == "loaded_free" && no_new_privs_at_load != 1) {
      throw std::runtime_error("loaded without a sandbox");
    }
    if (fault_ == "append") std::ofstream(path_, std::ios::app) << "one more line\n";
    if (fault_ == "make_output") make_foreign_output();
    // The first attempt at each such line waits to be killed; the next one goes on.
    if (fault_ == "wait_once" && comes_first(path_ + "." + std::string(line.text))) {
      wait_for_ever();
    }
    if (fault_ == "crash_once" && comes_first(path_ + "." + std::string(line.text))) segfault();
    if (fault_ == "slow") ::usleep(2000);  // slow on purpose: to be killed meanwhile
  }

  void make_foreign_output() const {
    std::filesystem::create_directory(path_);
    std::ofstream(path_ + "/mine") << "precious\n";
  }

  std::string fault_;
  std::string path_;
};

/// Throws where values meet, not where they are made.
struct ReduceFault {
  using Key = std::string;
  using Value = std::uint64_t;

  static void map(std::string_view line, muster::Emitter<ReduceFault>& out) { out.emit(line, 1); }
  static std::uint64_t reduce(const Key& key, std::span<Value> values) {
    if (key.starts_with("BOOM")) throw std::runtime_error("thrown in reduce");
    return values.size();
  }
};

}  // namespace

MUSTER_PLUGIN(faulty, "0.1.0", tasks) {
  tasks.add_map_reduce<Faulty>("faulty")
      .summary("does what it should not")
      .parameter({.name = "fault",
                  .default_value = "none",
                  .choices =
                      "none|throw|throw_int|segfault|abort|exit|allocate|allocate_once|print|loop|"
                      "truncate|remove|read|loaded_free|append|make_output|wait_once|crash_once|"
                      "slow|constructor|constructor_crash",
                  .help = "what to do"})
      .parameter({.name = "path", .help = "the file it is done to"});
  tasks.add_map_reduce<ReduceFault>("reduce_fault").summary("throws in reduce");
}
