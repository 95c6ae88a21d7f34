#include "slurm_daemons.hpp"

#include <sstream>
#include <stdexcept>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace muster::testing {
namespace {

namespace fs = std::filesystem;

// A requeued job waits for as long as munge's credentials live, so that is short. Nodes are asked
// whether they live each third of SlurmdTimeout; one on a busy machine must not be taken for dead.
constexpr const char* configuration = R"(ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={0}/munge.sock,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=12
MessageTimeout=10
KillWait=2
MpiDefault=none
SlurmctldPort={1}
SlurmctldPidFile={0}/slurmctld.pid
SlurmdPidFile={0}/slurmd-%n.pid
SlurmdSpoolDir={0}/spool-%n
StateSaveLocation={0}/state
SlurmctldLogFile={0}/slurmctld.log
SlurmdLogFile={0}/slurmd-%n.log
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={2} CPUs=4 RealMemory=4000
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={3} CPUs=4 RealMemory=4000
NodeName=n3 NodeHostname=localhost NodeAddr=127.0.0.1 Port={4} CPUs=4 RealMemory=4000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
)";

const char* const programs[] = {"/usr/sbin/munged", "/usr/sbin/mungekey", "/usr/sbin/slurmctld",
                                "/usr/sbin/slurmd", "/usr/bin/sbatch",    "/usr/bin/squeue",
                                "/usr/bin/scancel", "/usr/bin/scontrol",  "/usr/bin/sinfo"};

}  // namespace

std::vector<int> free_ports(std::size_t count) {
  std::vector<UniqueFd> sockets;
  std::vector<int> out;
  for (std::size_t i = 0; i < count; ++i) {
    UniqueFd& fd = sockets.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd.get(), any, size) != 0 || ::getsockname(fd.get(), any, &size) != 0)
      throw std::runtime_error("no port is free");
    out.push_back(ntohs(address.sin_port));
  }
  return out;
}

std::string SlurmDaemons::missing() {
  if (::geteuid() != 0) return "slurmd needs root";
  for (const char* each : programs) {
    if (::access(each, X_OK) != 0) return std::string(each) + " is missing: scripts/setup";
  }
  return {};
}

SlurmDaemons::SlurmDaemons(fs::path directory, std::vector<std::string> environment)
    : directory_(std::move(directory)), environment_(std::move(environment)) {
  for (const char* each : {"state", "spool-n1", "spool-n2", "spool-n3"})
    fs::create_directories(directory_ / each);
  write_configuration();
  environment_.push_back(variable());
  const auto file = [&](const char* option, const char* name) {
    return std::string(option) + "=" + (directory_ / name).string();
  };
  const Finished key = run(daemon({"/usr/sbin/mungekey", "--create", file("--keyfile", "key")}));
  if (key.exit_code != 0) throw std::runtime_error(key.text());
  const auto start = [&](std::vector<std::string> arguments) {
    daemons_.push_back(std::make_unique<Running>(daemon(std::move(arguments))));
  };
  start({"/usr/sbin/munged", "--foreground", "--force", file("--key-file", "key"),
         file("--socket", "munge.sock"), file("--pid-file", "munged.pid"),
         file("--log-file", "munged.log"), file("--seed-file", "munge.seed")});
  if (!eventually([&] { return fs::exists(directory_ / "munge.sock"); }))
    throw std::runtime_error("munged does not start: " + daemons_.back()->err());
  start({"/usr/sbin/slurmctld", "-D", "-c"});
  for (const char* each : {"n1", "n2", "n3"}) start({"/usr/sbin/slurmd", "-D", "-N", each});
  const bool are_idle = eventually([&] {
    return call({"sinfo", "--noheader", "--states=idle", "--format=%D"}).out == "3\n";
  });
  if (!are_idle) throw std::runtime_error("nodes are not idle: " + call({"sinfo"}).text());
}

void SlurmDaemons::kill_slurmd(const std::string& node) {
  Running& slurmd = *daemons_.at(daemons_.size() - 4 + static_cast<std::size_t>(node.back() - '0'));
  slurmd.send(SIGKILL);
  if (!eventually([&] { return slurmd.ended(); })) throw std::runtime_error(node + " lives");
}

void SlurmDaemons::write_configuration() const {
  const auto ports = free_ports(4);
  write_file_synced(directory_ / "slurm.conf", fmt::format(configuration, directory_.string(),
                                                           ports[0], ports[1], ports[2], ports[3]));
}

Command SlurmDaemons::daemon(std::vector<std::string> arguments) const {
  return {.arguments = std::move(arguments),
          .environment = environment_,
          .directory = directory_,
          .timeout = std::chrono::minutes(5)};
}

Finished SlurmDaemons::call(std::vector<std::string> arguments) const {
  return run(daemon(std::move(arguments)));
}

std::vector<std::string> SlurmDaemons::queue(const std::string& format) const {
  std::istringstream lines(call({"squeue", "--noheader", "--array", "--format=" + format}).out);
  std::vector<std::string> out;
  for (std::string line; std::getline(lines, line);) out.push_back(line);
  return out;
}

}  // namespace muster::testing
