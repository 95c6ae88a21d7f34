// Merging the two workers' tables and writing the words in order.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "floor_count.hpp"

namespace floor_bench {

// Runs part(0) and part(1) at the same time.
void in_parallel(const std::function<void(unsigned)>& part);

// Adds the second worker's words to the first one's tables.
void merge(Worker& into, Worker& from);

struct Report {
  std::string first;  // the lines up to some word, and those after it
  std::string second;
  std::size_t words = 0;
};

// Sorts the words by their bytes and makes the lines.
Report make_report(const Worker& worker);

}  // namespace floor_bench
