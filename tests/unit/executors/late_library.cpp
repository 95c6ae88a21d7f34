// A library that is loaded when the task processes are there already: see typed_call_test.cpp.
#include <muster/muster.hpp>

extern "C" [[gnu::visibility("default")]] int add_one_late(int number) { return number + 1; }

extern "C" [[gnu::visibility("default")]] void submit_from_late_library(
    muster::Executor& pool, muster::Future<int>& future) {
  future = pool.submit([](int number) { return number + 2; }, 1);
}
