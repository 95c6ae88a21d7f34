// expect: no matching
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <muster/muster.hpp>

void use(muster::ThreadPoolExecutor& pool) { pool.submit(7); }
