// expect: a pointer means nothing in another process
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <muster/muster.hpp>

std::size_t length(const char* text);

void use(muster::ProcessPoolExecutor& pool) { pool.map(length, std::vector<const char*>{"a"}); }
