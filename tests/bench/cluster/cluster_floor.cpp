// The floor for one call at a time: a byte from a DEALER through a ROUTER to a DEALER in another
// process, and back the same way. Prints "name value" lines.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <sys/wait.h>
#include <unistd.h>
#include <zmq.hpp>

namespace {

using Clock = std::chrono::steady_clock;

void echo(const std::string& address) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  socket.connect(address);
  socket.send(zmq::str_buffer("worker"), zmq::send_flags::none);
  for (zmq::message_t message;;) {
    if (socket.recv(message)) socket.send(message, zmq::send_flags::none);
  }
}

void send_to(zmq::socket_t& router, const std::string& peer, zmq::message_t& body) {
  router.send(zmq::buffer(peer), zmq::send_flags::sndmore);
  router.send(body, zmq::send_flags::none);
}

void relay(const std::string& address) {
  zmq::context_t context;
  zmq::socket_t router(context, zmq::socket_type::router);
  router.bind(address);
  std::string worker;
  std::string client;
  for (zmq::message_t peer, body;;) {
    if (!router.recv(peer) || !router.recv(body)) continue;
    const std::string from = peer.to_string();
    if (body.to_string_view() == "worker") {
      worker = from;
    } else if (from == worker) {
      send_to(router, client, body);
    } else {
      client = from;
      if (!worker.empty()) send_to(router, worker, body);
    }
  }
}

pid_t start(void (*run)(const std::string&), const std::string& address) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  run(address);
  std::_Exit(0);
}

}  // namespace

int main() {
  constexpr int calls = 3'000;
  const std::string address = "ipc:///tmp/muster-floor-" + std::to_string(::getpid());
  const pid_t router = start(relay, address);
  const pid_t worker = start(echo, address);
  {
    zmq::context_t context;
    zmq::socket_t socket(context, zmq::socket_type::dealer);
    socket.set(zmq::sockopt::rcvtimeo, 200);
    socket.connect(address);
    zmq::message_t answer;
    const auto call = [&] {
      socket.send(zmq::str_buffer("x"), zmq::send_flags::none);
      return socket.recv(answer).has_value();
    };
    while (!call()) {
    }
    for (int i = 0; i < calls / 10; ++i) call();
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) call();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::printf("floor_one_at_a_time_us %.1f\n", seconds / calls * 1e6);
  }
  for (const pid_t pid : {router, worker}) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  ::unlink(address.c_str() + std::string("ipc://").size());
}
