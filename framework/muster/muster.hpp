#pragma once

/// The library: thread and process pools, futures, jobs on this machine, and what sends values of
/// all standard types to other processes.

#include <muster/base/error.hpp>
#include <muster/codec/types.hpp>
#include <muster/executors/init.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/executors/register_error.hpp>
#include <muster/executors/thread_pool.hpp>
#include <muster/futures/as_completed.hpp>
#include <muster/futures/coroutine.hpp>
#include <muster/futures/future.hpp>
#include <muster/futures/promise.hpp>
#include <muster/futures/then.hpp>
#include <muster/futures/wait.hpp>
#include <muster/jobs/run_job.hpp>
#include <muster/patterns/map_reduce.hpp>
#include <muster/patterns/pipeline.hpp>
#include <muster/patterns/progress_bar.hpp>
#include <muster/patterns/rate_limited.hpp>
#include <muster/patterns/retrying.hpp>
#include <muster/patterns/track.hpp>
