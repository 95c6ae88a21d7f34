#include <new>

#include <fmt/format.h>
#ifdef MUSTER_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>  // the same functions, with the widest vectors of this processor
#else
#include <xxhash.h>
#endif

#include <muster/base/checksum.hpp>

namespace muster {

struct Checksum::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() {
    if (xxh == nullptr) throw std::bad_alloc();
    XXH3_64bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

std::uint64_t checksum(std::string_view bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

Checksum::Checksum() : state_(std::make_unique<State>()) {}
Checksum::~Checksum() = default;
Checksum::Checksum(Checksum&&) noexcept = default;
Checksum& Checksum::operator=(Checksum&&) noexcept = default;

void Checksum::add(std::string_view bytes) noexcept {
  XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}

std::uint64_t Checksum::value() const noexcept { return XXH3_64bits_digest(state_->xxh); }

std::string to_hex(std::uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace muster
