#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// CURVE (CurveZMQ, RFC 26): who speaks to whom, and nobody else reads it. Keys are texts of 40
/// characters, in Z85.
namespace muster::transport {

inline constexpr std::size_t curve_key_characters = 40;

struct CurveKeyPair {
  std::string public_key;
  std::string secret_key;
};

/// New keys, from the kernel's randomness.
CurveKeyPair make_curve_keys();
/// The one that belongs to the secret one. Throws Error(usage) of a text that is no key.
std::string public_key_of(const std::string& secret_key);
/// Whether it has the form of a key.
bool is_curve_key(std::string_view text);

/// What a side that is connected to needs.
struct ListenerKeys {
  CurveKeyPair own;
  /// The user that a public key belongs to; none: nobody that is let in. Called by another thread.
  std::function<std::optional<std::string>(std::string_view public_key)> user_of;
};

/// What a side that connects needs.
struct DialerKeys {
  CurveKeyPair own;
  std::string listener_public_key;
};

}  // namespace muster::transport
