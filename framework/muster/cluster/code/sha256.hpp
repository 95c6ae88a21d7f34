#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <muster/wire/code.hpp>

/// The parts of a cluster: coordinator, workers and clients.
namespace muster::cluster {

/// SHA-256 (FIPS 180-4) of bytes that arrive in pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void add(std::string_view bytes) noexcept;
  wire::Digest finish() noexcept;  ///< once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

wire::Digest sha256(std::string_view bytes);

/// 64 lower-case hexadecimal digits.
std::string to_hex(const wire::Digest& digest);
/// Of 64 hexadecimal digits, and nothing else.
std::optional<wire::Digest> parse_hex(std::string_view text) noexcept;

}  // namespace muster::cluster
