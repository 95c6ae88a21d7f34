#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace muster {

/// XXH3-64 of the bytes: detects corruption, not tampering.
std::uint64_t checksum(std::string_view bytes) noexcept;

/// XXH3-64 of a stream that arrives in pieces. Not thread-safe.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(Checksum&&) noexcept;
  Checksum& operator=(Checksum&&) noexcept;

  void add(std::string_view bytes) noexcept;
  std::uint64_t value() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 16 lower-case hexadecimal digits.
std::string to_hex(std::uint64_t value);

}  // namespace muster
