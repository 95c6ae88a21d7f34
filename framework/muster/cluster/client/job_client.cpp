#include <algorithm>
#include <iterator>
#include <random>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/thread.hpp>
#include <muster/cluster/client/job_client.hpp>
#include <muster/cluster/client/owning_dialer.hpp>
#include <muster/cluster/code/code_store.hpp>
#include <muster/cluster/local_host.hpp>
#include <muster/cluster/security/key_files.hpp>

namespace muster::cluster {
namespace {

constexpr Duration ask_to_stop_every = std::chrono::milliseconds(100);

wire::Hello hello_of(const JobClientOptions& options) {
  wire::Hello hello = hello_of_this_process();
  hello.role = wire::Role::client;
  hello.name = options.name;
  return hello;
}

std::unique_ptr<transport::Dialer> dial(const std::string& address,
                                        const JobClientOptions& options) {
  std::optional<transport::DialerKeys> keys;
  if (!options.keys.empty()) keys = read_dialer_keys(options.keys, "client");
  return std::make_unique<OwningDialer>(address, std::move(keys));
}

}  // namespace

JobClient::JobClient(const std::string& address, const JobClientOptions& options)
    : options_(options),
      dialer_(dial(address, options)),
      link_(hello_of(options), {}, std::random_device()()),
      runner_(*dialer_, link_, *this) {
  start();
}

void JobClient::start() {
  thread_ = start_thread("the thread of the link to the coordinator", [this] { run(); });
  Lock lock(mutex_);
  changed_.wait_until(lock, deadline_after(Clock::now(), options_.connect_within),
                      [this] { return slots_ || refused_ || broken_; });
  if (slots_) return;
  const auto refused = refused_;
  const std::string trouble = trouble_.empty() ? "the coordinator does not answer" : trouble_;
  const std::string hint = hint_;
  ending_ = true;
  lock.unlock();
  runner_.wake();
  thread_.join();
  if (refused) {
    throw Error(ErrorCode::usage, "the coordinator does not take this client: " + refused->message,
                refused->hint);
  }
  throw Error(ErrorCode::io, trouble, hint);
}

JobClient::~JobClient() {
  if (!thread_.joinable()) return;
  {
    const Lock lock(mutex_);
    ending_ = true;
  }
  runner_.wake();
  thread_.join();
}

void JobClient::run() {
  std::string reason = "the link to the coordinator has ended";
  try {
    runner_.run();
  } catch (const std::exception& error) {
    reason = error.what();
  }
  const Lock lock(mutex_);
  if (!broken_) broken_ = reason;
  changed_.notify_all();
}

void JobClient::on_session(TimePoint /*now*/) {
  const Lock lock(mutex_);
  for (auto& [number, each] : open_) each.is_sent = false;
  changed_.notify_all();
}

void JobClient::on_refused(const wire::Refusal& refusal, bool for_good) {
  const Lock lock(mutex_);
  trouble_ = refusal.message;
  if (!for_good) return;
  refused_ = refusal;
  broken_ = "the coordinator does not take this client: " + refusal.message;
  changed_.notify_all();
}

void JobClient::on_trouble(const std::string& trouble, const std::string& hint) {
  const Lock lock(mutex_);
  trouble_ = trouble;
  hint_ = hint;
}

void JobClient::take(std::uint64_t number, Answer answer) {
  const Lock lock(mutex_);
  const auto found = open_.find(number);
  if (found == open_.end()) return;
  if (found->second.is_given_up) {  // what comes before the question was sent is of the watch
    if (found->second.is_sent) open_.erase(found);
    return;
  }
  found->second.answer = std::move(answer);
  changed_.notify_all();
}

void JobClient::take_chunks(wire::JobChunks&& chunks) {
  const Lock lock(mutex_);
  const auto found = open_.find(chunks.number);
  if (found == open_.end() || found->second.is_given_up) return;
  std::move(chunks.chunks.begin(), chunks.chunks.end(), std::back_inserter(found->second.chunks));
  changed_.notify_all();
}

void JobClient::on_message(TimePoint /*now*/, wire::Message&& message) {
  std::visit(
      [this](auto& each) {
        using M = std::decay_t<decltype(each)>;
        if constexpr (std::is_constructible_v<Answer, M>) {
          const std::uint64_t number = each.number;
          take(number, std::move(each));
        } else if constexpr (std::is_same_v<M, wire::JobChunks>) {
          take_chunks(std::move(each));
        } else if constexpr (std::is_same_v<M, wire::CodeWanted>) {
          give_code(each);
        } else if constexpr (std::is_same_v<M, wire::ClusterSize>) {
          const Lock lock(mutex_);
          slots_ = each.slots;
          changed_.notify_all();
        }
      },
      message);
}

void JobClient::give_code(const wire::CodeWanted& wanted) {
  std::filesystem::path path;
  {
    const Lock lock(mutex_);
    const auto found = files_.find(wanted.digest);
    if (found != files_.end()) path = found->second;
  }
  try {
    if (path.empty()) throw Error(ErrorCode::usage, "it is not of this client");
    const UniqueFd file = open_file(path, O_RDONLY);
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) throw system_error(errno, path.string());
    const auto size = static_cast<std::uint64_t>(info.st_size);
    wire::CodePiece piece{wanted.digest, size, std::min(wanted.offset, size), {}};
    piece.bytes.resize(std::min<std::uint64_t>(wire::code_piece_bytes, size - piece.offset));
    piece.bytes.resize(
        read_at(file.get(), piece.bytes.data(), piece.bytes.size(), piece.offset, path));
    runner_.send(piece);
  } catch (const Error& error) {
    runner_.send(wire::CodeMissing{wanted.digest, error.what()});
  }
}

void JobClient::on_round(TimePoint now) {
  const Lock lock(mutex_);
  if (ending_) {
    runner_.end("it is done");
    return;
  }
  if (runner_.can_send()) {
    lost_since_.reset();
    for (auto& [number, each] : open_) {
      if (std::exchange(each.is_sent, true)) continue;
      std::visit([this](const auto& question) { runner_.send(question); }, each.question);
    }
  } else if (!link_.is_open() && !lost_since_) {
    lost_since_ = now;
  }
  if (!lost_since_ || now < deadline_after(*lost_since_, options_.give_up_after)) return;
  broken_ = "the coordinator could not be reached any more: " + trouble_;
  changed_.notify_all();
  runner_.end("it was given up");
}

std::optional<TimePoint> JobClient::next_deadline() {
  if (!lost_since_) return std::nullopt;
  return deadline_after(*lost_since_, options_.give_up_after);
}

std::uint64_t JobClient::ask(Question question, bool stays) {
  std::uint64_t number = 0;
  {
    const Lock lock(mutex_);
    number = ++last_number_;
    std::visit([&](auto& each) { each.number = number; }, question);
    Open& open = open_[number];
    open.question = std::move(question);
    open.stays = stays;
  }
  runner_.wake();
  return number;
}

void JobClient::require_alive(const Lock& /*lock*/) const {
  if (broken_) throw Error(ErrorCode::io, *broken_);
}

bool JobClient::has_answer(std::uint64_t number) const {
  const Lock lock(mutex_);
  return open_.at(number).answer || broken_;
}

JobClient::Answer JobClient::await(std::uint64_t number) {
  Lock lock(mutex_);
  Open& open = open_.at(number);
  // Bounded: the link's thread gives the coordinator up in the end.
  changed_.wait(lock, [&] { return open.answer || broken_; });
  if (!open.answer) require_alive(lock);
  Answer answer = std::move(*open.answer);
  open.answer.reset();
  if (!open.stays) open_.erase(number);
  const auto* const plain = std::get_if<wire::JobAnswer>(&answer);
  if (plain != nullptr && plain->is_refused) {
    open_.erase(number);
    throw Error(static_cast<ErrorCode>(plain->code), plain->message, plain->hint);
  }
  return answer;
}

JobClient::Answer JobClient::ask_and_wait(Question question) {
  return await(ask(std::move(question)));
}

std::uint64_t JobClient::submit(wire::SubmitJob job, const std::filesystem::path& plugin) {
  std::random_device random;
  job.ticket = std::uint64_t{random()} << 32U | random();
  job.plugin = sha256_of_file(plugin);
  {
    const Lock lock(mutex_);
    files_[job.plugin] = plugin;
  }
  const std::uint64_t ticket = job.ticket;
  const std::uint64_t number = std::get<wire::JobAnswer>(ask_and_wait(std::move(job))).job;
  const Lock lock(mutex_);
  tickets_[number] = ticket;
  return number;
}

void JobClient::push(const std::filesystem::path& plugin) {
  wire::CodeOffered offer{0, sha256_of_file(plugin)};
  {
    const Lock lock(mutex_);
    files_[offer.digest] = plugin;
  }
  ask_and_wait(offer);
}

/// False if the watch is to end.
bool JobClient::await_news(std::uint64_t number, const Watch& watch) {
  Lock lock(mutex_);
  const Open& open = open_.at(number);
  const auto has_news = [&] { return open.answer || !open.chunks.empty() || broken_; };
  while (!has_news() && !watch.stop_waiting()) changed_.wait_for(lock, ask_to_stop_every);
  return has_news();
}

void JobClient::pass_on_chunks(std::uint64_t number, const Watch& watch) {
  std::vector<wire::EndedChunk> chunks;
  {
    const Lock lock(mutex_);
    chunks.swap(open_.at(number).chunks);
  }
  if (!chunks.empty()) watch.on_chunks(chunks);
}

wire::JobState JobClient::watch(std::uint64_t job, const Watch& watch) {
  using What = wire::AskJob::What;
  wire::AskJob question{0, watch.on_chunks ? What::follow : What::watch, job, 0, 0};
  {
    const Lock lock(mutex_);
    const auto own = tickets_.find(job);
    if (own != tickets_.end()) question.ticket = own->second;
  }
  const std::uint64_t number = ask(question, true);
  wire::JobState last;
  while (await_news(number, watch)) {
    std::optional<Answer> answer;
    if (has_answer(number)) answer = await(number);
    pass_on_chunks(number, watch);  // those that came before the answer
    if (!answer) continue;
    const auto* const states = std::get_if<wire::JobStates>(&*answer);
    if (states == nullptr || states->jobs.empty()) continue;
    last = states->jobs.front();
    watch.on_state(last);
    if (last.has_ended()) break;
  }
  end_watch(number, job, last.has_ended());
  return last;
}

/// The coordinator goes on telling of a watch until something else is asked with its number.
void JobClient::end_watch(std::uint64_t number, std::uint64_t job, bool job_has_ended) {
  {
    const Lock lock(mutex_);
    if (job_has_ended || broken_) {
      open_.erase(number);
      return;
    }
    Open& open = open_.at(number);
    open = {};
    open.question = wire::AskJob{number, wire::AskJob::What::state, job, 0, 0};
    open.is_given_up = true;
  }
  runner_.wake();
}

wire::JobState JobClient::state(std::uint64_t job) {
  const Answer answer = ask_and_wait(wire::AskJob{0, wire::AskJob::What::state, job, 0, 0});
  return std::get<wire::JobStates>(answer).jobs.at(0);
}

std::vector<wire::JobState> JobClient::list() {
  return std::get<wire::JobStates>(ask_and_wait(wire::AskJob{})).jobs;
}

void JobClient::cancel(std::uint64_t job) {
  ask_and_wait(wire::AskJob{0, wire::AskJob::What::cancel, job, 0, 0});
}

wire::JobLog JobClient::log(std::uint64_t job, std::uint64_t from) {
  return std::get<wire::JobLog>(
      ask_and_wait(wire::AskJob{0, wire::AskJob::What::log, job, from, 0}));
}

wire::WorkerRows JobClient::workers() {
  return std::get<wire::WorkerRows>(ask_and_wait(wire::AskWorkers{}));
}

wire::WorkerRows JobClient::drain(const std::string& worker) {
  return std::get<wire::WorkerRows>(ask_and_wait(wire::AskWorkers{0, worker}));
}

unsigned JobClient::slots() const {
  const Lock lock(mutex_);
  return slots_.value_or(0);
}

}  // namespace muster::cluster
