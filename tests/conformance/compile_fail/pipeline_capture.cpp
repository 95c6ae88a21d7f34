// expect: this function cannot be sent to another process
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <muster/muster.hpp>

void use(muster::ProcessPoolExecutor& pool, const std::string& text) {
  muster::pipeline<int>().stage(pool, [text](int n) { return text.size() + n; });
}
