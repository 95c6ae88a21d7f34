#pragma once

#include <cstddef>
#include <new>
#include <string_view>

#include <sys/mman.h>

namespace muster::testing {

/// A text of any size that costs nothing, as long as nobody reads it: for limits that are checked
/// before.
class UntouchedMemory {
 public:
  explicit UntouchedMemory(std::size_t size)
      : data_(::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
        size_(size) {
    if (data_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~UntouchedMemory() { ::munmap(data_, size_); }
  UntouchedMemory(const UntouchedMemory&) = delete;
  UntouchedMemory& operator=(const UntouchedMemory&) = delete;

  std::string_view text() const noexcept { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_;
  std::size_t size_;
};

}  // namespace muster::testing
