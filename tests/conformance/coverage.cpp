#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "contract.hpp"

namespace muster::conformance {
namespace {

const Excuse* excuse_for(int number, const Kind& kind) {
  for (const Excuse& each : excuses()) {
    const bool is_meant =
        kind.name == each.kind || (kind.is_decorator && each.kind == std::string("decorators"));
    if (each.first <= number && number <= each.last && is_meant) return &each;
  }
  return nullptr;
}

}  // namespace

Coverage& Coverage::instance() {
  static Coverage coverage;
  return coverage;
}

void Coverage::add(int number, const std::string& kind) {
  const std::pair entry(number, kind);
  if (std::find(covered_.begin(), covered_.end(), entry) == covered_.end()) {
    covered_.push_back(entry);
  }
}

bool Coverage::report(bool is_whole) const {
  std::vector<std::string> errors;
  std::string header = fmt::format("| {:>3} | {:58} |", "no.", "item");
  for (const Kind& kind : kinds()) header += fmt::format(" {:12} |", kind.name);
  fmt::print("\nThe futures contract\n{}\n", header);
  for (const Item& item : checklist()) {
    std::string line = fmt::format("| {:>3} | {:58} |", item.number, item.text);
    for (const Kind& kind : kinds()) {
      const bool covered = std::find(covered_.begin(), covered_.end(),
                                     std::pair(item.number, kind.name)) != covered_.end();
      const Excuse* excuse = excuse_for(item.number, kind);
      const char* mark = covered ? "passed" : excuse != nullptr ? "n/a" : "MISSING";
      line += fmt::format(" {:12} |", mark);
      if (!covered && excuse == nullptr) {
        errors.push_back(
            fmt::format("item {} has no test that passed on {}", item.number, kind.name));
      } else if (covered && excuse != nullptr) {
        errors.push_back(
            fmt::format("item {} is covered on {}, and excused there", item.number, kind.name));
      }
    }
    fmt::print("{}\n", line);
  }
  fmt::print("\nn/a, because:\n");
  for (const Excuse& each : excuses()) {
    const std::string items = each.first == each.last ? std::to_string(each.first)
                                                      : fmt::format("{}-{}", each.first, each.last);
    fmt::print("  {:>7} {:12}  {}\n", items, each.kind, each.reason);
  }
  if (!is_whole) {
    fmt::print("\nOnly some of the tests ran: what is missing is no error.\n");
    return true;
  }
  for (const std::string& each : errors) fmt::print("ERROR: {}\n", each);
  std::fflush(stdout);
  return errors.empty();
}

void ContractTest::TearDown() {
  if (HasFailure() || IsSkipped()) return;
  for (const int number : items_) Coverage::instance().add(number, kind_);
}

}  // namespace muster::conformance
