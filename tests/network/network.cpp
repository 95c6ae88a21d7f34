#include "network.hpp"

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

namespace muster::testing {
namespace {

const char* const programs[] = {"/usr/sbin/ip", "/usr/sbin/nft", "/usr/sbin/tc", "/usr/bin/ss",
                                "/usr/bin/unshare"};

// What the kernel must know.
constexpr const char* probe =
    "nft add table ip probe && ip link add name probe type bridge && ip link add type veth && "
    "tc qdisc add dev lo root tbf rate 1mbit burst 16kb latency 100ms";

// Faults happen where packets arrive, so they have been on the line.
constexpr const char* rules_of_host = R"(table ip faults {
  counter dropped {}
  chain arriving { type filter hook input priority 0; policy accept; }
}
)";

UniqueFd current_space() { return open_file("/proc/thread-self/ns/net", O_RDONLY); }

void enter(const UniqueFd& space) {
  if (::setns(space.get(), CLONE_NEWNET) != 0)
    throw std::system_error(errno, std::generic_category(), "setns");
}

UniqueFd new_space() {
  const UniqueFd before = current_space();
  if (::unshare(CLONE_NEWNET) != 0)
    throw std::system_error(errno, std::generic_category(), "unshare");
  UniqueFd made = current_space();
  enter(before);
  return made;
}

/// The number behind a word, wherever the word is: all of them added up.
std::uint64_t sum_behind(const std::string& text, const std::string& word) {
  std::uint64_t out = 0;
  std::istringstream in(text);
  for (std::string each; in >> each;) {
    std::uint64_t number = 0;
    if (each == word && in >> number) out += number;
  }
  return out;
}

}  // namespace

OnHost::OnHost(const Network& network, const std::string& host)
    : OnHost(network.hosts_.at(host).space) {}

OnHost::OnHost(const UniqueFd& space) : before_(current_space()) { enter(space); }

OnHost::~OnHost() {
  // Or what follows would be somewhere else.
  if (::setns(before_.get(), CLONE_NEWNET) != 0) std::abort();
}

std::string Network::missing() {
  if (::geteuid() != 0) return "network namespaces need root";
  for (const char* each : programs) {
    if (::access(each, X_OK) != 0) return std::string(each) + " is missing: scripts/setup";
  }
  const Finished tried = run({.arguments = {"unshare", "--net", "sh", "-c", probe}});
  if (tried.exit_code != 0) return "no network namespaces, bridges or nftables here: " + tried.err;
  return {};
}

Network::Network(const std::vector<std::string>& hosts) : switch_(new_space()) {
  std::string lines = "link add name switch type bridge\nlink set switch up\n";
  for (const std::string& name : hosts) {
    Host& host = hosts_[name];
    host = {new_space(), fmt::format("10.77.0.{}", hosts_.size())};
    lines += fmt::format(
        "link add name to-{0} type veth peer name eth0 netns /proc/{1}/fd/{2}\n"
        "link set to-{0} master switch up\n",
        name, ::getpid(), host.space.get());
  }
  in(switch_, {"ip", "-batch", "-"}, lines);
  for (const auto& [name, host] : hosts_) {
    in(host.space, {"ip", "-batch", "-"},
       fmt::format("addr add {}/24 dev eth0\nlink set eth0 up\nlink set lo up\n", host.address));
    in(host.space, {"nft", "-f", "-"}, rules_of_host);
  }
}

std::string Network::in(const UniqueFd& space, std::vector<std::string> arguments,
                        std::string input) const {
  const OnHost there(space);
  const Finished end = run({.arguments = arguments, .input = std::move(input)});
  if (end.exit_code != 0) throw std::runtime_error(arguments.front() + ": " + end.text());
  return end.out;
}

std::string Network::address(const std::string& host) const { return hosts_.at(host).address; }

void Network::cut(const std::string& from, const std::string& to) {
  in(hosts_.at(to).space, {"nft", "-f", "-"},
     fmt::format("add rule ip faults arriving ip saddr {} counter name dropped drop\n",
                 address(from)));
}

void Network::cut_both_ways(const std::string& a, const std::string& b) {
  cut(a, b);
  cut(b, a);
}

void Network::isolate(const std::string& host) {
  for (const auto& [name, other] : hosts_) {
    if (name != host) cut_both_ways(host, name);
  }
}

void Network::drop_one_in(unsigned packets) {
  for (const auto& [name, host] : hosts_) {
    in(host.space, {"nft", "-f", "-"},
       fmt::format("add rule ip faults arriving iif eth0 numgen random mod {} 0 "
                   "counter name dropped drop\n",
                   packets));
  }
}

void Network::heal() {
  for (const auto& [name, host] : hosts_)
    in(host.space, {"nft", "flush", "chain", "ip", "faults", "arriving"});
}

void Network::limit(const std::string& host, const std::string& rate) {
  const auto slow_down = [&](const UniqueFd& space, const std::string& device) {
    in(space, {"tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", rate, "burst", "16kb",
               "latency", "400ms"});
  };
  slow_down(hosts_.at(host).space, "eth0");
  slow_down(switch_, "to-" + host);
}

std::uint64_t Network::dropped() const {
  std::uint64_t out = 0;
  for (const auto& [name, host] : hosts_)
    out += sum_behind(in(host.space, {"nft", "list", "counter", "ip", "faults", "dropped"}),
                      "packets");
  return out;
}

std::uint64_t Network::held_up() const {
  std::uint64_t out = sum_behind(in(switch_, {"tc", "-s", "qdisc"}), "overlimits");
  for (const auto& [name, host] : hosts_)
    out += sum_behind(in(host.space, {"tc", "-s", "qdisc"}), "overlimits");
  return out;
}

std::uint64_t Network::unsent_of_closed(const std::string& host) const {
  std::istringstream lines(in(hosts_.at(host).space,
                              {"ss", "--tcp", "--no-header", "--numeric", "state", "fin-wait-1"}));
  std::uint64_t out = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream row(line);
    std::uint64_t to_receive = 0;
    std::uint64_t to_send = 0;
    row >> to_receive >> to_send;
    out += to_send;
  }
  return out;
}

}  // namespace muster::testing
