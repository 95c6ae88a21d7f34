// The floors of process_pool_bench: what single-purpose code can do between processes that share
// memory. Nothing here has futures, errors, or survives the death of a process.

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <muster/base/futex.hpp>

#include "bench_support.hpp"

namespace {

using namespace executor_bench;

/// A value in memory that forked children share.
template <class T>
class Shared {
 public:
  Shared() {
    void* const memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    value_ = ::new (memory) T();
  }
  ~Shared() { ::munmap(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  T& operator*() const { return *value_; }
  T* operator->() const { return value_; }

 private:
  T* value_;
};

/// A forked process that runs `body` until it is destroyed.
class Child {
 public:
  template <class Body>
  explicit Child(Body&& body) : pid_(::fork()) {
    if (pid_ < 0) std::abort();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    ::_exit(0);
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  pid_t pid_;
};

/// One producer, one consumer, numbers only.
class Ring {
 public:
  bool push(std::uint64_t value) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ == capacity) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ == capacity) return false;
    }
    values_[tail % capacity] = value;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  bool pop(std::uint64_t& value) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return false;
    }
    value = values_[head % capacity];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  static constexpr std::uint64_t capacity = 8192;
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t head_seen_ = 0;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::uint64_t tail_seen_ = 0;
  alignas(64) std::array<std::uint64_t, capacity> values_;
};

struct Rings {
  Ring in;
  Ring out;
};

void square_for_ever(Rings& rings) {
  std::uint64_t value = 0;
  for (;;) {
    while (rings.in.pop(value)) {
      while (!rings.out.push(value * value)) ::sched_yield();
    }
    ::sched_yield();
  }
}

void floor_submits(benchmark::State& state) {
  constexpr std::int64_t calls = 100'000;
  constexpr std::int64_t burst = 512;  // to one process at a time
  const Shared<std::array<Rings, threads>> rings;
  const Child first([&] { square_for_ever((*rings)[0]); });
  const Child second([&] { square_for_ever((*rings)[1]); });
  const auto all = [&] {
    std::int64_t sent = 0;
    std::int64_t received = 0;
    while (received < calls) {
      const std::int64_t before = received;
      for (Rings& each : *rings) {
        for (std::int64_t i = 0; i < burst && sent < calls; ++i, ++sent) {
          if (!each.in.push(static_cast<std::uint64_t>(sent))) break;
        }
        std::uint64_t result = 0;
        while (each.out.pop(result)) {
          benchmark::DoNotOptimize(result);
          ++received;
        }
      }
      if (received == before) ::sched_yield();
    }
  };
  all();
  for (auto _ : state) all();
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * calls);
}
BENCHMARK(floor_submits)->Name("submits/floor")->Apply(bulk);

/// A word that one process sets and the other takes.
struct Flag {
  alignas(64) std::atomic<std::uint32_t> word{0};

  void take(bool sleeping) {
    for (unsigned look = 1; word.load(std::memory_order_acquire) == 0; ++look) {
      if (sleeping) {
        muster::detail::futex_wait_shared(word, 0);
      } else if (look % looks_per_yield == 0) {
        ::sched_yield();
      } else {
        muster::detail::cpu_relax();
      }
    }
    word.store(0, std::memory_order_relaxed);
  }
  void set(bool sleeping) {
    word.store(1, std::memory_order_release);
    if (sleeping) muster::detail::futex_wake_one_shared(word);
  }
};

struct Flags {
  Flag there;
  Flag back;
};

// Calls time(round_trip), where a round trip goes to another process and back.
template <class Time>
void ping_pong(bool sleeping, Time&& time) {
  const Shared<Flags> flags;
  const Child other([&] {
    for (;;) {
      flags->there.take(sleeping);
      flags->back.set(sleeping);
    }
  });
  time([&] {
    flags->there.set(sleeping);
    flags->back.take(sleeping);
  });
}

void floor_back_to_back(benchmark::State& state) {
  ping_pong(false, [&](auto&& trip) { time_back_to_back(state, trip); });
}
BENCHMARK(floor_back_to_back)->Name("call-spinning/floor")->Apply(back_to_back);

void floor_after_nap(benchmark::State& state) {
  ping_pong(true, [&](auto&& trip) { time_after_nap(state, trip); });
}
BENCHMARK(floor_after_nap)->Name("call-asleep/floor")->Apply(after_nap);

constexpr std::size_t floor_payload_bytes = std::size_t{1} << 20U;

struct Buffers {
  Flags flags;
  alignas(64) std::array<char, floor_payload_bytes> in;
  alignas(64) std::array<char, floor_payload_bytes> out;
};

// Three copies: into shared memory, across it, and out of it.
void floor_payload(benchmark::State& state) {
  const Shared<Buffers> shared;
  const Child other([&] {
    for (;;) {
      shared->flags.there.take(false);
      std::memcpy(shared->out.data(), shared->in.data(), floor_payload_bytes);
      shared->flags.back.set(false);
    }
  });
  const std::vector<char> source(floor_payload_bytes, 'x');
  std::vector<char> result(floor_payload_bytes);
  Samples samples;
  for (auto _ : state) {
    const auto begin = Samples::Clock::now();
    std::memcpy(shared->in.data(), source.data(), floor_payload_bytes);
    shared->flags.there.set(false);
    shared->flags.back.take(false);
    std::memcpy(result.data(), shared->out.data(), floor_payload_bytes);
    benchmark::ClobberMemory();
    samples.add(Samples::Clock::now() - begin);
  }
  samples.report(state);
}
BENCHMARK(floor_payload)->Name("mebibyte/floor")->Apply(payload);

void floor_first_result(benchmark::State& state) {
  Samples samples;
  for (auto _ : state) {
    std::array<int, 2> ends{};
    const auto begin = Samples::Clock::now();
    if (::pipe(ends.data()) != 0) std::abort();
    const auto answer = [&] {
      const char one = 1;
      if (::write(ends[1], &one, 1) != 1) ::_exit(1);
    };
    const Child first(answer);
    const Child second(answer);
    char got = 0;
    if (::read(ends[0], &got, 1) != 1) std::abort();
    const auto time = Samples::Clock::now() - begin;
    samples.add(time);
    state.SetIterationTime(std::chrono::duration<double>(time).count());
    ::close(ends[0]);
    ::close(ends[1]);
  }
  samples.report(state);
}
BENCHMARK(floor_first_result)->Name("first-result/floor")->Apply(first_result);

}  // namespace
