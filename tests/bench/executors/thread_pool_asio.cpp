// Boost.Asio's part of thread_pool_bench.

#include <future>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "bench_support.hpp"

namespace {

using namespace executor_bench;

std::future<void> submit(boost::asio::thread_pool& pool) {
  std::promise<void> promise;
  std::future<void> future = promise.get_future();
  boost::asio::post(pool, [promise = std::move(promise)]() mutable { promise.set_value(); });
  return future;
}

void asio_futures(benchmark::State& state) {
  boost::asio::thread_pool pool(threads);
  std::vector<std::future<void>> futures;
  futures.reserve(task_count);
  time_all_tasks(state, [&] {
    for (std::int64_t i = 0; i < task_count; ++i) futures.push_back(submit(pool));
    for (auto& each : futures) each.get();
    futures.clear();
  });
}
BENCHMARK(asio_futures)->Name("futures/Asio")->Apply(bulk);

void asio_forget(benchmark::State& state) {
  boost::asio::thread_pool pool(threads);
  time_all_tasks(state, [&] {
    const std::int64_t before = Tally::total();
    for (std::int64_t i = 0; i < task_count; ++i) boost::asio::post(pool, [] { Tally::add(); });
    Tally::await(before + task_count);
  });
}
BENCHMARK(asio_forget)->Name("forget/Asio")->Apply(bulk);

void asio_back_to_back(benchmark::State& state) {
  boost::asio::thread_pool pool(threads);
  time_back_to_back(state, [&] { submit(pool).get(); });
}
BENCHMARK(asio_back_to_back)->Name("back-to-back/Asio")->Apply(back_to_back);

void asio_after_nap(benchmark::State& state) {
  boost::asio::thread_pool pool(threads);
  time_after_nap(state, [&] { submit(pool).get(); });
}
BENCHMARK(asio_after_nap)->Name("after-nap/Asio")->Apply(after_nap);

}  // namespace
