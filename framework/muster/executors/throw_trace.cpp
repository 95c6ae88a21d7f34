#include <algorithm>
#include <string_view>

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <unwind.h>

#include <muster/executors/throw_trace.hpp>
#include <muster/executors/type_name.hpp>

namespace muster::detail {
namespace {

thread_local ThrowTrace* innermost = nullptr;

struct Place {
  std::string_view file;      // of the executable or library
  std::uintptr_t offset = 0;  // in it, as its own tools count
  const char* symbol = nullptr;
};

Place place_of(std::uintptr_t address) {
  Dl_info info{};
  void* extra = nullptr;
  if (::dladdr1(reinterpret_cast<const void*>(address), &info, &extra, RTLD_DL_LINKMAP) == 0) {
    return {"?", address, nullptr};
  }
  // Not from dli_fbase: an executable at a fixed place counts from 0.
  const auto* map = static_cast<const link_map*>(extra);
  return {info.dli_fname, address - map->l_addr, info.dli_sname};
}

/// The functions that start the unwinding. A sanitizer's interceptor has the name of what it wraps.
bool is_throw(const Place& place) {
  if (place.symbol == nullptr) return false;
  const std::string_view name = place.symbol;
  return name.ends_with("__cxa_throw") || name.ends_with("__cxa_rethrow") ||
         name == "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE";
}

std::string text_of(const Place& place) {
  std::string out = fmt::format("{}+{:#x}", place.file, place.offset);
  if (place.symbol != nullptr) out += " in " + type_name(place.symbol);
  if (out.size() > ThrowTrace::frame_bytes_max) out.resize(ThrowTrace::frame_bytes_max);
  return out;
}

}  // namespace

ThrowTrace::ThrowTrace(const void* frame, const void* thunk) noexcept
    : frame_(reinterpret_cast<std::uintptr_t>(frame)), thunk_(thunk), outer_(innermost) {
  innermost = this;
}

ThrowTrace::~ThrowTrace() { innermost = outer_; }

void ThrowTrace::record_innermost() noexcept {
  if (innermost != nullptr) innermost->record();
}

struct ThrowTraceRecorder {
  static _Unwind_Reason_Code add(_Unwind_Context* context, void* to) {
    auto& trace = *static_cast<ThrowTrace*>(to);
    // Where the frame ends, at its call: the stack grows down, so callers have higher ones.
    if (_Unwind_GetCFA(context) > trace.frame_ || trace.count_ == trace.addresses_.size()) {
      return _URC_END_OF_STACK;
    }
    int is_before = 0;
    std::uintptr_t address = _Unwind_GetIPInfo(context, &is_before);
    // Elsewhere it is the address returned to, which may be of the next line.
    if (is_before == 0 && address != 0) --address;
    trace.addresses_[trace.count_++] = address;
    return _URC_NO_REASON;
  }
};

void ThrowTrace::record() noexcept {
  count_ = 0;
  _Unwind_Backtrace(&ThrowTraceRecorder::add, this);
  const bool is_whole = count_ < addresses_.size();
  const auto starts_in = [this](const void* function) {
    return _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(addresses_[count_ - 1])) ==
           function;
  };
  if (is_whole && count_ != 0) --count_;  // the function this belongs to
  if (is_whole && count_ != 0 && thunk_ != nullptr && starts_in(thunk_)) --count_;
}

std::vector<std::string> ThrowTrace::frames() const {
  std::vector<Place> places;
  places.reserve(count_);
  for (std::size_t i = 0; i < count_; ++i) places.push_back(place_of(addresses_[i]));
  const auto thrown = std::find_if(places.rbegin(), places.rend(), is_throw).base();
  std::vector<std::string> out;
  for (auto each = thrown; each != places.end() && out.size() < frames_max; ++each) {
    out.push_back(text_of(*each));
  }
  return out;
}

}  // namespace muster::detail
