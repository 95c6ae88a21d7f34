#pragma once

#include <string_view>

#include <muster/base/bytes.hpp>
#include <muster/jobs/plan.hpp>

namespace muster::jobs {

/// A plan, as it travels to a coordinator and stays in its journal.
Bytes encode(const Plan& plan);
/// Throws Error(corrupt) of what makes no sense: chunks of files that are not there, beyond their
/// ends, or without ranges.
Plan decode_plan(std::string_view bytes);

}  // namespace muster::jobs
