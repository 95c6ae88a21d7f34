#include <charconv>
#include <system_error>

#include <fmt/format.h>
#include <sodium/crypto_hash_sha256.h>

#include <muster/cluster/code/sha256.hpp>

namespace muster::cluster {
namespace {

const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

struct Sha256::State {
  crypto_hash_sha256_state state{};
};

Sha256::Sha256() : state_(std::make_unique<State>()) { crypto_hash_sha256_init(&state_->state); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::string_view bytes) noexcept {
  crypto_hash_sha256_update(&state_->state, raw(bytes), bytes.size());
}

wire::Digest Sha256::finish() noexcept {
  wire::Digest out{};
  static_assert(sizeof(out) == crypto_hash_sha256_BYTES);
  crypto_hash_sha256_final(&state_->state, out.data());
  return out;
}

wire::Digest sha256(std::string_view bytes) {
  wire::Digest out{};
  crypto_hash_sha256(out.data(), raw(bytes), bytes.size());
  return out;
}

std::string to_hex(const wire::Digest& digest) {
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::optional<wire::Digest> parse_hex(std::string_view text) noexcept {
  wire::Digest out{};
  if (text.size() != 2 * out.size()) return std::nullopt;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const char* const begin = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, out[i], 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
  }
  return out;
}

}  // namespace muster::cluster
