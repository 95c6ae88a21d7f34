// expect: a pointer means nothing in another process
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <muster/muster.hpp>

int value_at(const int* x) { return *x; }

void use(muster::ProcessPoolExecutor& pool, const int* x) { pool.submit(value_at, x); }
