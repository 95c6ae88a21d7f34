// expect: this function cannot be sent to another process
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <muster/muster.hpp>

void use(muster::ProcessPoolExecutor& pool, const std::string& text) {
  pool.submit([text] { return text.size(); });
}
