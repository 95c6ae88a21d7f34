// expect: nothing: it compiles
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <muster/muster.hpp>

int twice(int x) { return 2 * x; }

void use(muster::ProcessPoolExecutor& pool) {
  pool.submit(twice, 1).result();
  pool.submit([](const std::string& text) { return text; }, "text").result();
  pool.map(twice, std::vector{1, 2}).detach();
  muster::map_reduce(pool, std::vector{1, 2}, twice, std::plus<>(), 0);
  muster::pipeline<int>().stage(pool, twice);
}
