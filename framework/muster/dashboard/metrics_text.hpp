#pragma once

#include <string>

#include <muster/cluster/coordinator/questions.hpp>

namespace muster::dashboard {

/// The numbers of a coordinator, and of this process, in Prometheus' text format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/). Base units; names of counters
/// end in _total; no job, chunk or worker is a label, so that there are always as many series.
std::string metrics_text(const cluster::CoordinatorNumbers& numbers);

}  // namespace muster::dashboard
