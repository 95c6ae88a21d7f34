#pragma once

#include <atomic>
#include <filesystem>

#include <muster/cluster/code/code_store.hpp>
#include <muster/cluster/coordinator/coordinator_core.hpp>
#include <muster/cluster/security/authorized_keys.hpp>
#include <muster/transport/listener.hpp>

namespace muster::cluster {

/// A coordinator at a listener: takes calls from clients and gives them to workers.
class Coordinator {
 public:
  /// The listener must outlive it, as must the keys, if there are any: they say who may be what.
  /// Programs are kept in `code_directory`.
  Coordinator(CoordinatorOptions options, transport::Listener& listener,
              std::filesystem::path code_directory, AuthorizedKeys* keys = nullptr);

  /// Works until it is told to stop; tells everybody then.
  void run();
  /// Of any thread, and of signal handlers.
  void stop() noexcept;

  /// Not while run() runs in another thread.
  const CoordinatorCore& core() const noexcept { return core_; }

 private:
  std::optional<TimePoint> next_deadline() const;
  void take_frames(TimePoint now);
  void send(CoordinatorCore::Frames&& frames);

  transport::Listener& listener_;
  AuthorizedKeys* keys_;
  TimePoint look_at_keys_{};
  CodeStore store_;
  CoordinatorCore core_;
  std::atomic<bool> stopping_{false};
};

}  // namespace muster::cluster
