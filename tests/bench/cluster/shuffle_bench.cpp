// Map outputs from one worker to another on this machine, against raw ZeroMQ: a ROUTER that answers
// each question with 1 MiB, eight questions ahead. Prints "name value" lines. By itself; see
// docs/benchmarks.md.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>
#include <zmq.hpp>

#include <muster/base/freed_memory.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/cluster/shuffle/run_server.hpp>
#include <muster/cluster/shuffle/run_source.hpp>
#include <muster/mapreduce/run_file.hpp>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t block_bytes = std::size_t{1} << 20U;
constexpr std::size_t blocks = 512;
constexpr std::size_t runs = 8;
constexpr std::uint64_t job = 1;

/// Runs `serve`, which writes its address to the descriptor, in a process of its own until it is
/// destroyed.
class Server {
 public:
  explicit Server(const std::function<void(int)>& serve) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      serve(ends[1]);
      for (;;) ::pause();
    }
    ::close(ends[1]);
    char text[256] = {};
    if (::read(ends[0], text, sizeof(text) - 1) <= 0) std::abort();
    ::close(ends[0]);
    address_ = text;
  }
  ~Server() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  const std::string& address() const { return address_; }

 private:
  pid_t pid_ = 0;
  std::string address_;
};

void tell(int to, const std::string& address) {
  if (::write(to, address.data(), address.size()) < 0) std::abort();
}

double gb_s(Clock::time_point begin) {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return static_cast<double>(blocks * block_bytes) / seconds / 1e9;
}

double raw() {
  const Server server([](int to) {
    zmq::context_t context;
    zmq::socket_t router(context, zmq::socket_type::router);
    router.bind("tcp://127.0.0.1:*");
    tell(to, router.get(zmq::sockopt::last_endpoint));
    const std::string block(block_bytes, 'x');
    for (zmq::message_t peer, question;;) {
      if (!router.recv(peer) || !router.recv(question)) continue;
      router.send(peer, zmq::send_flags::sndmore);
      router.send(zmq::buffer(block), zmq::send_flags::none);
    }
  });
  zmq::context_t context;
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.connect(server.address());
  const auto begin = Clock::now();
  constexpr std::size_t ahead = 8;
  for (std::size_t i = 0; i < ahead; ++i) dealer.send(zmq::str_buffer("?"), zmq::send_flags::none);
  for (std::size_t got = 0; got < blocks; ++got) {
    zmq::message_t block;
    if (!dealer.recv(block) || block.size() != block_bytes) std::abort();
    if (got + ahead < blocks) dealer.send(zmq::str_buffer("?"), zmq::send_flags::none);
  }
  return gb_s(begin);
}

double shuffle(const muster::TempDir& files, const muster::transport::CurveKeyPair& keys) {
  const Server server([&](int to) {
    const auto* const giver = new muster::cluster::RunServer(files.path(), "127.0.0.1", keys);
    tell(to, giver->address());
  });
  muster::cluster::RunPlaces places;
  places.job = job;
  places.partition = 0;
  for (std::size_t i = 0; i < runs; ++i) places.runs.push_back("run-1-" + std::to_string(i));
  places.addresses = {server.address()};
  places.address_of_run.assign(runs, 0);
  places.own_address = "tcp://127.0.0.1:1";
  places.own_directory = "/";
  places.keys = keys;
  const auto begin = Clock::now();
  muster::cluster::RunSource source(std::move(places));
  std::size_t bytes = 0;
  while (const auto block = source.next()) bytes += block->size();
  if (bytes != blocks * block_bytes) std::abort();
  return gb_s(begin);
}

/// What it gives, in a process of its own: what one measurement does with its memory does not help
/// or hinder the next one.
double apart(const std::function<double()>& measure) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    const double rate = measure();
    ::_exit(::write(ends[1], &rate, sizeof(rate)) == sizeof(rate) ? 0 : 1);
  }
  ::close(ends[1]);
  double rate = 0;
  if (::read(ends[0], &rate, sizeof(rate)) != sizeof(rate)) std::abort();
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return rate;
}

/// The same with memory kept, as muster-worker does.
double keeping(const std::function<double()>& measure) {
  return apart([&] {
    muster::keep_freed_memory();
    return measure();
  });
}

void write_runs(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  std::string block(block_bytes, '\0');
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<char>(i * 31 % 251);
  for (std::size_t i = 0; i < runs; ++i) {
    muster::mapreduce::RunWriter out(directory / ("run-1-" + std::to_string(i)));
    for (std::size_t b = 0; b < blocks / runs; ++b) out.write(0, block, 1);
    out.finish();
  }
}

}  // namespace

int main() {
  const muster::TempDir files(muster::default_temp_parent());
  write_runs(muster::cluster::run_directory(files.path(), job));
  const auto keys = muster::transport::make_curve_keys();
  std::vector<double> raw_rates;
  std::vector<double> raw_keeping_rates;
  std::vector<double> rates;
  std::vector<double> encrypted;
  constexpr int rounds = 5;
  for (int i = 0; i < rounds; ++i) {  // in turns
    raw_rates.push_back(apart(raw));
    raw_keeping_rates.push_back(keeping(raw));
    rates.push_back(keeping([&] { return shuffle(files, {}); }));
    encrypted.push_back(keeping([&] { return shuffle(files, keys); }));
  }
  for (std::vector<double>* each : {&raw_rates, &raw_keeping_rates, &rates, &encrypted})
    std::sort(each->begin(), each->end());
  const double floor = raw_rates[rounds / 2];
  const double rate = rates[rounds / 2];
  std::printf("raw_gb_s %.2f\nraw_with_memory_kept_gb_s %.2f\n", floor,
              raw_keeping_rates[rounds / 2]);
  std::printf("shuffle_gb_s %.2f\nshuffle_of_raw %.2f\nshuffle_of_raw_with_memory_kept %.2f\n",
              rate, rate / floor, rate / raw_keeping_rates[rounds / 2]);
  std::printf("shuffle_with_keys_gb_s %.2f\n", encrypted[rounds / 2]);
}
