// muster-wordcount-floor: counts words as fast as two threads can, and does nothing else.
//
//   muster-wordcount-floor [--isa avx512|avx2|scalar] FILE
//
// Prints WORD<TAB>COUNT lines in byte order on stdout and the time of each phase on stderr.
// Nothing here recovers, spills or distributes: it is the time a general program is held against.

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "floor_count.hpp"
#include "floor_report.hpp"

namespace {

using floor_bench::CountFunction;
using floor_bench::Worker;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

// The file, mapped with a readable margin of zeros behind it, as kernels read past the end.
// Mapping took 0.04 s for a cached GB where two threads with pread took 0.05 s.
class MappedFile {
 public:
  explicit MappedFile(const char* path) {
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) fail(path);
    struct stat about {};
    if (::fstat(file, &about) != 0) fail(path);
    if (!S_ISREG(about.st_mode)) throw std::runtime_error(std::string(path) + ": not a file");
    size_ = static_cast<std::size_t>(about.st_size);
    void* const space =
        ::mmap(nullptr, size_ + kMargin, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED) fail("mmap");
    if (size_ > 0 &&
        ::mmap(space, size_, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == MAP_FAILED) {
      fail("mmap");
    }
    ::close(file);
    data_ = static_cast<const char*>(space);
  }

  const char* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kMargin = 8192;  // at least a page after the last one of the file
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

// Hands out pieces that end at word bounds. Both threads take from it, so that a thread that gets
// less of the processor does not hold up the other.
class Pieces {
 public:
  explicit Pieces(const MappedFile& file) : data_(file.data()), size_(file.size()) {}

  std::string_view next() {
    const std::lock_guard lock(mutex_);
    const std::size_t begin = at_;
    at_ = begin + std::min(kPiece, size_ - begin);
    while (at_ < size_ && !floor_bench::is_white(static_cast<unsigned char>(data_[at_]))) ++at_;
    return {data_ + begin, at_ - begin};
  }

 private:
  static constexpr std::size_t kPiece = std::size_t{4} << 20;
  std::mutex mutex_;
  const char* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

class Stopwatch {
 public:
  void lap(const char* name) {
    const auto now = Clock::now();
    std::fprintf(stderr, "%-7s %.4f s\n", name, seconds(now - last_));
    last_ = now;
  }
  void total() const { std::fprintf(stderr, "total   %.4f s\n", seconds(Clock::now() - start_)); }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds(Clock::duration time) {
    return std::chrono::duration<double>(time).count();
  }

  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

void write_all(std::string_view data) {
  while (!data.empty()) {
    const ssize_t wrote = ::write(STDOUT_FILENO, data.data(), data.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail("write");
    data.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

void run(const char* path, CountFunction count) {
  Stopwatch watch;
  const MappedFile file(path);
  Pieces pieces(file);
  // Large files mostly need a million slots; growing to them would cost a few milliseconds.
  const auto bits = static_cast<unsigned>(std::bit_width(file.size() / 256));
  Worker workers[2] = {Worker(std::clamp(bits, 12U, 20U)), Worker(std::clamp(bits, 12U, 20U))};
  floor_bench::in_parallel([&](unsigned number) {
    for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
      count(workers[number], piece.data(), piece.data() + piece.size());
    }
  });
  watch.lap("count");
  // Into the larger table, as a small file may have gone to one thread only.
  const unsigned larger = workers[0].table.used() >= workers[1].table.used() ? 0 : 1;
  Worker& all = workers[larger];
  floor_bench::merge(all, workers[1 - larger]);
  watch.lap("merge");
  const floor_bench::Report report = floor_bench::make_report(all);
  watch.lap("sort");
  write_all(report.first);
  write_all(report.second);
  watch.lap("write");
  watch.total();
  std::fprintf(stderr, "words   %llu, distinct %zu\n", static_cast<unsigned long long>(all.tokens),
               report.words);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const bool named = argc == 4 && std::string_view(argv[1]) == "--isa";
    if (!named && argc != 2) {
      throw std::runtime_error("usage: muster-wordcount-floor [--isa avx512|avx2|scalar] FILE");
    }
    const CountFunction count = floor_bench::find_kernel(named ? argv[2] : "");
    if (count == nullptr) throw std::runtime_error("this processor has no such instruction set");
    run(argv[argc - 1], count);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster-wordcount-floor: %s\n", error.what());
    return 1;
  }
}
