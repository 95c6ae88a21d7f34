#include "tasks.hpp"

#include <numeric>
#include <stdexcept>

#include <unistd.h>

#include <muster/futures/errors.hpp>

#include "support/shared_memory.hpp"

namespace muster::conformance {

using test::eventually;
using test::shared;
using test::stay_at_gate;

int power(int base, int exponent) {
  int out = 1;
  for (int i = 0; i < exponent; ++i) out *= base;
  return out;
}

int twice(int x) { return 2 * x; }

int fails_on_three(int x) {
  if (x == 3) throw std::invalid_argument("three");
  return x;
}

int throws_timeout(int x) {
  if (x == 1) throw TimeoutError("of the task's own");
  return x;
}

int count(int number) {
  ++shared().runs;
  ++shared().runs_by_number[number];
  return number;
}

int pass_gate(int number) {
  count(number);
  stay_at_gate();
  return number;
}

int gate_then_throw(int number) {
  pass_gate(number);
  throw std::invalid_argument("after the gate");
}

pid_t own_pid() { return ::getpid(); }

std::vector<int> numbers(int count) {
  std::vector<int> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

bool at_gate(std::uint64_t count) {
  return eventually([count] { return shared().at_gate == count; });
}

std::string error_text(const std::exception_ptr& error) {
  if (error == nullptr) return {};
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& caught) {
    return caught.what();
  } catch (...) {
    return "what is no std::exception";
  }
}

}  // namespace muster::conformance
