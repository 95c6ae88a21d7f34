#include <muster/launch/local_launcher.hpp>
#include <muster/launch/make_launcher.hpp>
#include <muster/launch/slurm_launcher.hpp>
#include <muster/launch/ssh_launcher.hpp>

namespace muster::launch {

const char* to_string(Pilot::State state) noexcept {
  switch (state) {
    case Pilot::State::pending:
      return "pending";
    case Pilot::State::running:
      return "running";
    case Pilot::State::ending:
      return "ending";
    case Pilot::State::unknown:
      break;
  }
  return "unknown";
}

std::unique_ptr<Launcher> make_launcher(const ClusterSpec& spec,
                                        const ClusterDirectory& directory) {
  switch (spec.launcher) {
    case LauncherKind::local:
      return std::make_unique<LocalLauncher>(spec, directory);
    case LauncherKind::slurm:
      return std::make_unique<SlurmLauncher>(spec, directory);
    case LauncherKind::ssh:
      break;
  }
  return std::make_unique<SshLauncher>(spec);
}

}  // namespace muster::launch
