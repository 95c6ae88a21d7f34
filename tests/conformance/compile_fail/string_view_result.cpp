// expect: a pointer means nothing in another process
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <muster/muster.hpp>

std::string_view text() { return "text"; }

void use(muster::ProcessPoolExecutor& pool) { pool.submit(text); }
