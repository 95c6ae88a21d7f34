#pragma once

/// The library: process pool, futures, and jobs on this machine.

#include <muster/base/error.hpp>
#include <muster/executors/init.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/futures/future.hpp>
#include <muster/futures/promise.hpp>
#include <muster/futures/wait.hpp>
#include <muster/jobs/run_job.hpp>
