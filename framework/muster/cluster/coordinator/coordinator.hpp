#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <muster/cluster/code/code_store.hpp>
#include <muster/cluster/coordinator/coordinator_core.hpp>
#include <muster/cluster/security/authorized_keys.hpp>
#include <muster/transport/listener.hpp>

namespace muster::cluster {

/// A coordinator at a listener: takes calls and jobs from clients and gives them to workers.
class Coordinator {
 public:
  /// The listener must outlive it, as must the keys, if there are any: they say who may be what.
  /// Programs and plugins are kept in `state`, with the journal.
  Coordinator(CoordinatorOptions options, transport::Listener& listener,
              const std::filesystem::path& state, AuthorizedKeys* keys = nullptr);
  ~Coordinator();

  /// Works until it is told to stop; tells everybody then.
  void run();
  /// Of any thread, and of signal handlers.
  void stop() noexcept;

  /// Asks it, of any thread. `answered` is called once and must not throw or block: by the thread
  /// of run(), or at once if that has ended, or too much is asked. Not at all if run() throws.
  void ask(Question question, std::function<void(Answer)> answered);

  /// Not while run() runs in another thread.
  const CoordinatorCore& core() const noexcept { return core_; }

 private:
  std::optional<TimePoint> next_deadline() const;
  void wait_for_work();
  bool take_frames(TimePoint now);
  void send(CoordinatorCore::Frames&& frames);
  struct Asked {
    Question question;
    std::function<void(Answer)> answered;
  };
  std::vector<Asked> take_questions(bool are_last);

  void run_file_work();
  void take_file_work(TimePoint now);

  transport::Listener& listener_;
  AuthorizedKeys* keys_;
  TimePoint look_at_keys_{};
  const Duration heartbeat_;  ///< that it asks for
  const Duration lease_;
  CodeStore store_;
  Journal journal_;
  CoordinatorCore core_;
  std::atomic<bool> stopping_{false};

  std::mutex questions_mutex_;
  std::vector<Asked> questions_;
  bool has_ended_ = false;
  unsigned busy_rounds_ = 0;  ///< one after the other that did not take all frames
  std::optional<TimePoint> round_began_;
  TimePoint believe_until_{};  ///< after a pause of this process: nobody expires before

  /// Of a thread of its own: file systems may be slow.
  struct Committed {
    JobId job;
    std::optional<Error> error;
  };
  std::mutex file_work_mutex_;
  std::condition_variable file_work_changed_;
  std::deque<JobBook::FileWork> file_work_;
  std::vector<Committed> committed_;
  bool no_more_file_work_ = false;
  std::thread file_worker_;
};

}  // namespace muster::cluster
