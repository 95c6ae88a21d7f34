#include <algorithm>
#include <unordered_set>

#include <dlfcn.h>

#include <muster/base/error.hpp>
#include <muster/executors/remote_call.hpp>

namespace muster::detail {

void require_code(const void* address) {
  // Looking it up takes longer than a small task. Libraries that a task closes are its own affair.
  thread_local const void* last = nullptr;
  if (address == last) return;
  thread_local std::unordered_set<const void*> known;
  if (!known.contains(address)) {
    Dl_info info{};
    if (::dladdr(address, &info) == 0) {
      throw Error(ErrorCode::usage,
                  "the task's function is not in the task process: it lies in a library that the "
                  "program loaded after muster::init()",
                  "load the library before muster::init()");
    }
    known.insert(address);
  }
  last = address;
}

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
