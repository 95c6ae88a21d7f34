// expect: a smart one neither
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <muster/muster.hpp>

int value_at(std::unique_ptr<int> x) { return *x; }

void use(muster::ProcessPoolExecutor& pool) { pool.submit(value_at, std::make_unique<int>(1)); }
