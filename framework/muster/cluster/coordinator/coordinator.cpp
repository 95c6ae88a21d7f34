#include <algorithm>
#include <utility>

#include <muster/cluster/coordinator/coordinator.hpp>

namespace muster::cluster {
namespace {

// So that what has arrived is answered before all that there is was read.
constexpr int frames_a_round = 256;
constexpr unsigned busy_rounds_max = 64;

// How soon a revoked key is put out.
constexpr Duration look_at_keys_every = std::chrono::seconds(1);

constexpr std::size_t questions_max = 256;

Answer refusal(const char* why) {
  return wire::JobAnswer{0, true, 0, 0, why, "try again in a while"};
}

CoordinatorOptions with_keys(CoordinatorOptions options, AuthorizedKeys* keys) {
  if (keys != nullptr) {
    options.data_keys = transport::make_curve_keys();
    options.sessions.may_be = [keys](std::string_view user, wire::Role role) {
      return keys->may_be(user, role);
    };
  }
  return options;
}

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options, transport::Listener& listener,
                         const std::filesystem::path& state, AuthorizedKeys* keys)
    : listener_(listener),
      keys_(keys),
      heartbeat_(options.sessions.heartbeat),
      lease_(options.sessions.lease),
      store_(state / "programs"),
      journal_(state / "journal.db"),
      core_(Clock::now(), with_keys(std::move(options), keys), store_, journal_),
      file_worker_([this] { run_file_work(); }) {}

Coordinator::~Coordinator() {
  {
    const std::lock_guard lock(file_work_mutex_);
    no_more_file_work_ = true;
  }
  file_work_changed_.notify_all();
  file_worker_.join();
}

void Coordinator::run_file_work() {
  std::unique_lock lock(file_work_mutex_);
  for (;;) {
    // For ever: the destructor ends it.
    file_work_changed_.wait(lock, [this] { return no_more_file_work_ || !file_work_.empty(); });
    if (no_more_file_work_) return;
    // Outputs that somebody waits for come before what is only to be tidied up.
    auto at = std::find_if(file_work_.begin(), file_work_.end(),
                           [](const auto& each) { return each.commits.has_value(); });
    if (at == file_work_.end()) at = file_work_.begin();
    std::optional<JobBook::FileWork> next = std::move(*at);
    file_work_.erase(at);
    lock.unlock();
    const std::optional<JobId> commits = next->commits;
    std::optional<Error> failed;
    try {
      next->run();
    } catch (const Error& error) {
      failed = error;
    } catch (const std::exception& error) {
      failed = Error(ErrorCode::io, error.what());
    }
    next.reset();
    lock.lock();
    if (!commits) continue;
    committed_.push_back({*commits, std::move(failed)});
    listener_.wake();
  }
}

void Coordinator::take_file_work(TimePoint now) {
  std::vector<JobBook::FileWork> wanted = core_.take_file_work();
  std::vector<Committed> done;
  {
    const std::lock_guard lock(file_work_mutex_);
    for (JobBook::FileWork& each : wanted) file_work_.push_back(std::move(each));
    done.swap(committed_);
  }
  if (!wanted.empty()) file_work_changed_.notify_all();
  for (const Committed& each : done) core_.committed(now, each.job, each.error);
}

void Coordinator::stop() noexcept {
  stopping_.store(true);
  listener_.wake();
}

void Coordinator::ask(Question question, std::function<void(Answer)> answered) {
  std::unique_lock lock(questions_mutex_);
  const char* const why = has_ended_ ? "the coordinator ends"
                          : questions_.size() >= questions_max
                              ? "too much is asked of the coordinator at a time"
                              : nullptr;
  if (why == nullptr) {
    questions_.push_back({std::move(question), std::move(answered)});
    lock.unlock();
    listener_.wake();
    return;
  }
  lock.unlock();
  answered(refusal(why));
}

std::vector<Coordinator::Asked> Coordinator::take_questions(bool are_last) {
  const std::lock_guard lock(questions_mutex_);
  has_ended_ = are_last;
  return std::exchange(questions_, {});
}

void Coordinator::run() {
  while (!stopping_.load()) {
    wait_for_work();
    const TimePoint now = Clock::now();
    busy_rounds_ = take_frames(now) ? 0 : busy_rounds_ + 1;
    std::vector<std::pair<Asked, Answer>> answers;
    for (Asked& each : take_questions(false)) {
      Answer answer = core_.answer(now, each.question);
      answers.emplace_back(std::move(each), std::move(answer));
    }
    if (keys_ != nullptr && look_at_keys_ <= now) {
      look_at_keys_ = now + look_at_keys_every;
      if (keys_->has_changed()) core_.recheck_keys(now);
    }
    // Heartbeats may be among what still waits: after a pause nobody has expired before they were
    // looked at. But frames without end put that off for a bounded time alone.
    if (busy_rounds_ % busy_rounds_max == 0 && believe_until_ <= now) core_.expire(now);
    journal_.commit();  // before an output that follows from it becomes visible
    take_file_work(now);
    CoordinatorCore::Frames frames = core_.take_frames(now);
    journal_.commit();  // what is said is true from now on
    send(std::move(frames));
    for (auto& [asked, answer] : answers) asked.answered(std::move(answer));
  }
  journal_.commit();
  take_file_work(Clock::now());
  journal_.commit();
  core_.end("it was told to stop");
  send(core_.take_frames(Clock::now()));
  for (const Asked& each : take_questions(true)) each.answered(refusal("the coordinator ends"));
}

/// If this process was stopped for a while, so was the thread that reads what others have sent
/// meanwhile: they are believed to be there until it has had the time for that.
void Coordinator::wait_for_work() {
  const std::optional<TimePoint> until = next_deadline();
  const TimePoint before = Clock::now();
  const bool was_stopped = round_began_ && before > *round_began_ + heartbeat_;
  listener_.wait(until);
  const TimePoint now = Clock::now();
  const bool has_overslept = until && now > std::max(*until, before) + heartbeat_;
  // Not for ever, however often it is: the other half of the time those who are gone expire.
  const bool may_believe = believe_until_ + lease_ / 2 <= now;
  if ((was_stopped || has_overslept) && may_believe) believe_until_ = now + lease_ / 2;
  round_began_ = now;
}

std::optional<TimePoint> Coordinator::next_deadline() const {
  std::optional<TimePoint> next = core_.next_deadline();
  if (next) next = std::max(*next, believe_until_);
  if (keys_ == nullptr) return next;
  return next ? std::min(*next, look_at_keys_) : look_at_keys_;
}

/// True if that was all that has come.
bool Coordinator::take_frames(TimePoint now) {
  transport::Listener::Arrived arrived;
  for (int i = 0; i < frames_a_round; ++i) {
    if (!listener_.receive(arrived)) return true;
    core_.receive(now, arrived.peer, arrived.user, arrived.bytes);
  }
  return false;
}

void Coordinator::send(CoordinatorCore::Frames&& frames) {
  for (const auto& [peer, frame] : frames) {
    // What a peer does not keep up with is dropped, and asked for again by its channel.
    if (listener_.send(peer, frame) == transport::Listener::Sent::gone) core_.gone(peer);
  }
}

}  // namespace muster::cluster
