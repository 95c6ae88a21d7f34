#include <array>

#include <zmq.h>

#include <muster/base/error.hpp>
#include <muster/transport/curve.hpp>

namespace muster::transport {
namespace {

constexpr std::size_t key_bytes = 32;
using KeyText = std::array<char, curve_key_characters + 1>;

}  // namespace

CurveKeyPair make_curve_keys() {
  KeyText public_key{};
  KeyText secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    throw Error(ErrorCode::io, "keys cannot be made: this ZeroMQ was built without CURVE");
  return {public_key.data(), secret_key.data()};
}

bool is_curve_key(std::string_view text) {
  if (text.size() != curve_key_characters) return false;
  std::array<unsigned char, key_bytes> bytes{};
  return zmq_z85_decode(bytes.data(), std::string(text).c_str()) != nullptr;
}

std::string public_key_of(const std::string& secret_key) {
  KeyText out{};
  if (!is_curve_key(secret_key) || zmq_curve_public(out.data(), secret_key.c_str()) != 0)
    throw Error(ErrorCode::usage, "a secret key is no key");
  return out.data();
}

}  // namespace muster::transport
