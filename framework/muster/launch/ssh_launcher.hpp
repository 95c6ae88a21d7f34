#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <muster/base/clock.hpp>
#include <muster/base/error.hpp>
#include <muster/launch/cluster_spec.hpp>
#include <muster/launch/launcher.hpp>
#include <muster/launch/run_program.hpp>

namespace muster::launch {

/// Workers on other machines, started over ssh and detached there: no connection is held. All hosts
/// are asked at the same time. The workers of one that does not answer are unknown (as many as it
/// takes, if it has never answered), and are given up after a minute, so that others may take their
/// place.
class SshLauncher final : public Launcher {
 public:
  explicit SshLauncher(ClusterSpec spec);

  void check() override;
  /// Where there is room, in the order of the hosts. Throws Error(broken) that names the first host
  /// that fails.
  void start(unsigned count) override;
  std::vector<Pilot> pilots() override;
  void drain(const std::vector<Pilot>& which) override;
  void end_all(Duration grace) override;
  Duration poll_interval() const override;

 private:
  struct Seen {
    std::vector<Pilot> pilots;
    std::optional<TimePoint> silent_since;
    std::optional<Error> trouble;
  };

  std::vector<ProgramEnd> run_on(const std::vector<std::string>& hosts,
                                 const std::vector<std::string>& scripts, Duration limit) const;
  std::vector<std::string> all_hosts() const;
  void look();
  void note_silence(const HostShare& host, const Error& trouble, TimePoint now);

  ClusterSpec spec_;
  std::map<std::string, Seen> seen_;
};

}  // namespace muster::launch
