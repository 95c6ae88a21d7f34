// expect: this function cannot be sent to another process
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <muster/muster.hpp>

void use(muster::ProcessPoolExecutor& pool, const std::string& text) {
  muster::map_reduce(
      pool, std::vector{1, 2}, [text](int n) { return n; }, std::plus<>(), 0);
}
