// expect: this function cannot be sent to another process
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <muster/muster.hpp>

void use(muster::ProcessPoolExecutor& pool) {
  pool.submit(std::function<int()>([] { return 1; }));
}
