#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string_view>

#include <fmt/format.h>
#include <sys/resource.h>

#include <muster/base/version.hpp>
#include <muster/dashboard/metrics_text.hpp>

namespace muster::dashboard {
namespace {

class Metrics {
 public:
  struct Value {
    std::string_view label;  ///< `state="open"`; empty: there is but one
    std::uint64_t number;
  };

  void add(std::string_view name, std::string_view help, std::initializer_list<Value> values) {
    head(name, help);
    for (const Value& each : values) {
      const std::string labels = each.label.empty() ? "" : fmt::format("{{{}}}", each.label);
      fmt::format_to(out(), "{}{} {}\n", name, labels, each.number);
    }
  }
  void add_seconds(std::string_view name, std::string_view help, double seconds) {
    head(name, help);
    fmt::format_to(out(), "{} {}\n", name, seconds);
  }
  std::string take() { return std::move(text_); }

 private:
  void head(std::string_view name, std::string_view help) {
    fmt::format_to(out(), "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                   name.ends_with("_total") ? "counter" : "gauge");
  }
  std::back_insert_iterator<std::string> out() { return std::back_inserter(text_); }

  std::string text_;
};

double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);  // cannot fail: both arguments are right
  constexpr double micro = 1e-6;
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         micro * static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

void add_work(Metrics& to, const cluster::CoordinatorNumbers& of) {
  to.add("muster_clients", "Clients that are connected.", {{"", of.clients}});
  to.add("muster_calls_open", "Calls of all clients that have not ended.", {{"", of.open_calls}});
  to.add("muster_calls_total", "Calls that clients have given.", {{"", of.calls.taken}});
  to.add("muster_call_results_total", "Calls that have ended, but for those withdrawn.",
         {{"result=\"value\"", of.calls.values}, {"result=\"error\"", of.calls.errors}});
  to.add("muster_jobs_open", "Jobs that have not ended.", {{"", of.open_jobs}});
  to.add("muster_jobs_total", "Jobs that have ended.",
         {{"result=\"succeeded\"", of.ended_jobs.succeeded},
          {"result=\"failed\"", of.ended_jobs.failed},
          {"result=\"cancelled\"", of.ended_jobs.cancelled}});
  to.add("muster_chunks_open", "Chunks of jobs that have not ended, of stages at work.",
         {{"", of.open_chunks}});
  to.add("muster_attempts", "Calls and chunks that workers hold.", {{"", of.attempts}});
  to.add("muster_attempts_total", "Calls and chunks that were given to workers.",
         {{"", of.scheduler.attempts_started}});
  to.add("muster_speculative_attempts_total", "Of these, second ones of a chunk that takes long.",
         {{"", of.scheduler.speculative}});
  to.add("muster_chunks_reopened_total", "Chunks run again since their outputs were lost.",
         {{"", of.scheduler.reopened}});
  to.add("muster_late_results_total", "Results of attempts that did not count any more.",
         {{"", of.scheduler.stale_results}});
}

}  // namespace

std::string metrics_text(const cluster::CoordinatorNumbers& numbers) {
  Metrics out;
  out.add("muster_build_info", "The version that runs.",
          {{fmt::format("version=\"{}\"", version_text), 1}});
  const auto& workers = numbers.workers;
  out.add("muster_workers", "Workers that are connected.",
          {{"state=\"open\"", workers.open},
           {"state=\"paused\"", workers.paused},
           {"state=\"draining\"", workers.draining},
           {"state=\"cut_off\"", workers.cut_off}});
  out.add("muster_worker_slots", "Calls and chunks that they run at a time.",
          {{"", workers.slots}});
  out.add("muster_workers_lost_total", "Workers that left without a word.", {{"", workers.lost}});
  add_work(out, numbers);
  const wire::Sessions::Counters& sessions = numbers.sessions;
  out.add("muster_sessions_resumed_total", "Sessions that went on over another connection.",
          {{"", sessions.resumed}});
  out.add("muster_sessions_expired_total", "Sessions that were not heard of for their lease.",
          {{"", sessions.expired}});
  out.add("muster_hellos_refused_total", "Workers and clients that were not let in.",
          {{"", sessions.refused}});
  out.add("muster_frames_refused_total", "Messages that were not taken.",
          {{"why=\"damaged\"", sessions.bad_frames},
           {"why=\"malformed\"", sessions.malformed},
           {"why=\"unknown\"", sessions.unknown},
           {"why=\"session_over\"", sessions.stale}});
  out.add_seconds("process_cpu_seconds_total", "Processor time of the coordinator.",
                  processor_seconds());
  return out.take();
}

}  // namespace muster::dashboard
