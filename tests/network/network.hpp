#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <muster/base/file.hpp>

#include "support/process.hpp"

namespace muster::testing {

/// Hosts, each a network namespace with one address, around a switch: a bridge in a namespace of
/// its own. The network can be broken as real ones break; what it does to packets is counted.
///
/// The namespaces have no names, so the kernel removes them with the last process in them and this
/// object: nothing is left behind, however a test ends. Not thread-safe.
class Network {
 public:
  /// Why there can be none here; empty: there can.
  static std::string missing();

  explicit Network(const std::vector<std::string>& hosts);

  std::string address(const std::string& host) const;

  /// Until heal(), what `to` gets from `from` is dropped; in the other direction nothing is.
  void cut(const std::string& from, const std::string& to);
  void cut_both_ways(const std::string& a, const std::string& b);
  /// From all others, both ways.
  void isolate(const std::string& host);
  /// Until heal(), each host drops, at random, one in so many packets that it gets.
  void drop_one_in(unsigned packets);
  void heal();
  /// For good: so many bits a second to the host, and as many from it ("1mbit").
  void limit(const std::string& host, const std::string& rate);

  /// Packets that were dropped, by all of the above but limit().
  std::uint64_t dropped() const;
  /// Times that a packet had to wait for the limit.
  std::uint64_t held_up() const;
  /// Bytes that programs of the host have left for the kernel to send when they closed a
  /// connection.
  std::uint64_t unsent_of_closed(const std::string& host) const;

 private:
  friend class OnHost;
  struct Host {
    UniqueFd space;  ///< its namespace
    std::string address;
  };

  /// Runs a program of the system, which must succeed; what it has printed.
  std::string in(const UniqueFd& space, std::vector<std::string> arguments,
                 std::string input = {}) const;

  UniqueFd switch_;
  std::map<std::string, Host> hosts_;
};

/// While it lives, its thread is on that host, and so is all that the thread starts.
class OnHost {
 public:
  OnHost(const Network& network, const std::string& host);
  explicit OnHost(const UniqueFd& space);
  ~OnHost();
  OnHost(const OnHost&) = delete;
  OnHost& operator=(const OnHost&) = delete;

 private:
  UniqueFd before_;
};

}  // namespace muster::testing
