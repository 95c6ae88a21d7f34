#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/launch/poll.hpp>
#include <muster/launch/run_program.hpp>
#include <muster/launch/slurm_launcher.hpp>
#include <muster/launch/slurm_script.hpp>

namespace muster::launch {
namespace {

using namespace std::chrono_literals;

// Slurm's programs wait for a busy controller, and try again, by themselves.
constexpr Duration answer_limit = 60s;
// Beyond `grace`, for Slurm's KillWait (30 s by default) and what it does after it.
constexpr Duration kill_limit = 60s;

}  // namespace

SlurmLauncher::SlurmLauncher(ClusterSpec spec, ClusterDirectory directory)
    : spec_(std::move(spec)), directory_(std::move(directory)), user_(std::to_string(::getuid())) {}

void SlurmLauncher::check() {
  for (const char* each : {"sbatch", "squeue", "scancel"}) {
    if (find_program(each)) continue;
    throw Error(ErrorCode::usage, fmt::format("there is no program '{}' here", each),
                "run this where Slurm's programs are, a login node for instance; or use "
                "--launcher ssh or local");
  }
  sbatch_options(spec_, 1, directory_.logs());  // throws if the user's are not possible
}

void SlurmLauncher::start(unsigned count) {
  const auto script = directory_.job_script();
  write_file_synced(script, slurm_script(spec_, count, directory_.logs()));
  ProgramCall call{{"sbatch", "--parsable"}};
  // They are in the script, too, for people. Only here do they win over variables like
  // SBATCH_TIMELIMIT.
  for (std::string& each : sbatch_options(spec_, count, directory_.logs()))
    call.arguments.push_back(std::move(each));
  call.arguments.push_back(script);
  const ProgramEnd end = run_program(call, answer_limit);
  if (!end.ok()) {
    throw Error(ErrorCode::usage, fmt::format("sbatch has refused: {}", end.reason()),
                "what stands behind '--' is passed to it, such as: -- --partition=P --account=A");
  }
  parse_job_id(end.out);
}

std::vector<Pilot> SlurmLauncher::pilots() {
  const ProgramEnd end =
      run_program({{"squeue", "--noheader", "--array", "--user=" + user_,
                    "--name=" + slurm_job_name(spec_), fmt::format("--format={}", squeue_format)},
                   {},
                   "SQUEUE_"},  // they may filter
                  answer_limit);
  if (end.ok()) return parse_squeue(end.out, directory_.logs());
  throw Error(ErrorCode::broken, fmt::format("squeue does not answer: {}", end.reason()),
              "is Slurm up? 'sinfo' tells");
}

void SlurmLauncher::cancel(std::vector<std::string> options) {
  options.insert(options.begin(), "scancel");
  const ProgramEnd end = run_program({std::move(options), {}, "SCANCEL_"}, answer_limit);
  if (end.ok()) return;
  throw Error(ErrorCode::broken, fmt::format("scancel has failed: {}", end.reason()),
              "is Slurm up? 'sinfo' tells");
}

void SlurmLauncher::drain(const std::vector<Pilot>& which) {
  std::vector<std::string> pending;
  std::vector<std::string> running = {"--signal=USR1", "--batch"};
  for (const Pilot& each : which)
    (each.state == Pilot::State::pending ? pending : running).push_back(each.id);
  constexpr std::size_t option_count = 2;
  if (running.size() > option_count) cancel(std::move(running));
  if (!pending.empty()) cancel(std::move(pending));
}

void SlurmLauncher::end_all(Duration grace) {
  if (pilots().empty()) return;
  cancel({"--user=" + user_, "--name=" + slurm_job_name(spec_)});
  constexpr Duration look_every = 250ms;
  if (poll_until([&] { return pilots().empty(); }, grace + kill_limit, look_every)) return;
  throw Error(ErrorCode::broken,
              fmt::format("Slurm has not ended the jobs yet: {}", slurm_job_name(spec_)),
              fmt::format("'squeue --name={}' shows them; then take the cluster down again",
                          slurm_job_name(spec_)));
}

Duration SlurmLauncher::poll_interval() const { return 15s; }

}  // namespace muster::launch
