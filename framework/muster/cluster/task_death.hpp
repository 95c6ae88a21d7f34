#pragma once

#include <string_view>

#include <muster/base/bytes.hpp>
#include <muster/executors/errors.hpp>

namespace muster::cluster {

/// How a task process ended, as it travels in a wire::CallEnd.
Bytes encode(const WorkerDeath& death);
/// From anybody: throws Error(corrupt) of what makes no sense.
WorkerDeath decode_death(std::string_view bytes);

}  // namespace muster::cluster
