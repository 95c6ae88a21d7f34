#include <muster/executors/remote_call.hpp>

namespace muster::detail {

std::string_view EncodedCall::piece(std::size_t offset) const noexcept {
  std::size_t own = 0;  // bytes of our own before the next borrowed ones
  for (const Borrowed& each : borrowed_) {
    if (offset < each.at - own)
      return std::string_view(bytes_).substr(own + offset, each.at - own - offset);
    offset -= each.at - own;
    own = each.at;
    if (offset < each.bytes.size()) return each.bytes.substr(offset);
    offset -= each.bytes.size();
  }
  return std::string_view(bytes_).substr(own + offset);
}

}  // namespace muster::detail
