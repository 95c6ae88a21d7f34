#include <array>
#include <exception>
#include <iterator>
#include <utility>
#include <vector>

#include <muster/base/thread.hpp>
#include <muster/transport/curve.hpp>
#include <muster/transport/zap_handler.hpp>

namespace muster::transport {
namespace {

// The parts of a question, as RFC 27 numbers them.
constexpr std::size_t version_part = 0;
constexpr std::size_t request_part = 1;
constexpr std::size_t mechanism_part = 5;
constexpr std::size_t credentials_part = 6;
constexpr std::size_t raw_key_bytes = 32;

std::vector<zmq::message_t> receive_all(zmq::socket_t& socket) {
  std::vector<zmq::message_t> parts;
  do {
    zmq::message_t part;
    if (!socket.recv(part, zmq::recv_flags::dontwait)) return parts;
    parts.push_back(std::move(part));
  } while (parts.back().more());
  return parts;
}

std::optional<std::string> key_of(const std::vector<zmq::message_t>& parts) {
  const bool is_whole = parts.size() == credentials_part + 1 &&
                        parts[version_part].to_string_view() == "1.0" &&
                        parts[mechanism_part].to_string_view() == "CURVE" &&
                        parts[credentials_part].size() == raw_key_bytes;
  if (!is_whole) return std::nullopt;
  std::array<char, curve_key_characters + 1> text{};
  zmq_z85_encode(text.data(), parts[credentials_part].data<unsigned char>(), raw_key_bytes);
  return std::string(text.data());
}

}  // namespace

ZapHandler::ZapHandler(zmq::context_t& context, UserOf user_of)
    : questions_(context, zmq::socket_type::rep), user_of_(std::move(user_of)) {
  questions_.set(zmq::sockopt::linger, 0);
  questions_.bind("inproc://zeromq.zap.01");
  thread_ = start_thread("the thread that checks keys", [this] { run(); });
}

ZapHandler::~ZapHandler() {
  stop_.signal();
  thread_.join();
}

void ZapHandler::run() {
  for (;;) {
    zmq::pollitem_t items[] = {{questions_.handle(), 0, ZMQ_POLLIN, 0},
                               {nullptr, stop_.get(), ZMQ_POLLIN, 0}};
    // Without a bound: the destructor signals.
    zmq::poll(items, std::size(items), std::chrono::milliseconds(-1));
    if (items[1].revents != 0) return;
    if (items[0].revents != 0) answer();
  }
}

void ZapHandler::answer() {
  const std::vector<zmq::message_t> parts = receive_all(questions_);
  if (parts.size() <= request_part) return;
  std::optional<std::string> user;
  try {
    if (const auto key = key_of(parts)) user = user_of_(*key);
  } catch (const std::exception&) {
    user.reset();  // who cannot be looked up is not let in
  }
  const std::string status = user ? "200" : "400";
  const std::string text = user ? "OK" : "this key is not authorized";
  const std::string request = parts[request_part].to_string();
  const std::string replies[] = {"1.0", request, status, text, user.value_or(""), ""};
  for (const std::string& each : replies) {
    const bool is_last = &each == std::end(replies) - 1;
    const auto flags =
        is_last ? zmq::send_flags::dontwait : zmq::send_flags::dontwait | zmq::send_flags::sndmore;
    questions_.send(zmq::buffer(each), flags);
  }
}

}  // namespace muster::transport
