#pragma once

#include <string>

#include <sys/types.h>

namespace muster::test {

/// What became of a role.
struct RoleResult {
  int status = -1;  // as wait(2) gives it
  std::string out;
  std::string err;
};

/// Runs this program again as `role`, for what needs a program of its own; its main sees
/// --role=ROLE. What it prints is read.
RoleResult run_role(const std::string& role);
pid_t start_role(const std::string& role, int out, int err);

}  // namespace muster::test
