#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace muster::conformance {

// Tasks that every executor takes: plain functions, of plain arguments.

int power(int base, int exponent);
int twice(int x);
int fails_on_three(int x);  ///< std::invalid_argument("three")
int throws_timeout(int x);  ///< on 1, the TimeoutError of its own
int count(int number);      ///< counts itself, under its number too, and gives it back
int pass_gate(int number);  ///< counts itself, then waits at the gate
int gate_then_throw(int number);
pid_t own_pid();

std::vector<int> numbers(int count);

/// Waits until so many tasks have arrived at the gate, in all.
bool at_gate(std::uint64_t count);

/// Every result that a map gives, moved out.
template <class Results>
auto collected(Results&& results) {
  std::vector<typename std::decay_t<Results>::iterator::value_type> out;
  for (auto& each : results) out.push_back(std::move(each));
  return out;
}

/// The text of the error that a future ends with; empty if it has none.
std::string error_text(const std::exception_ptr& error);

}  // namespace muster::conformance
