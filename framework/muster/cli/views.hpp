#pragma once

#include <memory>
#include <string>

#include <muster/jobs/run_job.hpp>
#include <muster/observe/job_events.hpp>

namespace muster::cli {

/// Shows a job to its user while it runs, and its end.
class JobView : public observe::JobObserver {
 public:
  /// What a dry run prints on standard output, all of it.
  virtual std::string explain(const jobs::Plan& plan) const = 0;
  /// The job is with a coordinator that has no worker which takes anything.
  virtual void waits_for_workers(const std::string& coordinator) = 0;
  virtual void succeeded(const jobs::JobReport& report, const std::string& output) = 0;
  virtual void failed(const Error& error, int exit_code) = 0;
  /// The reader of the result left, which is its right: people are told nothing.
  virtual void reader_left(int exit_code) = 0;
};

struct ViewOptions {
  bool quiet = false;
  bool verbose = false;
};

/// For people, on standard error: a line a stage, redrawn in place on a terminal; elsewhere a line
/// at its end and every 10 s.
std::unique_ptr<JobView> make_text_view(ViewOptions options);

/// For programs: JSON lines on the file descriptor, each with "schema" and "event"; the last one is
/// the summary, however the job ended, as long as somebody reads them. `quiet`: nothing but that.
std::unique_ptr<JobView> make_json_view(int fd, bool quiet);

}  // namespace muster::cli
