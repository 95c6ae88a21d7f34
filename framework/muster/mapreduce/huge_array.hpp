#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <sys/mman.h>

namespace muster::mapreduce {

/// A fixed-size array whose elements start as zero bytes if they are trivially copyable, and
/// value-initialised otherwise. Its memory comes from the kernel, on huge
/// pages if those are to be had: a hash table of many megabytes touched at random spends its time
/// in page faults and address translation otherwise. Move-only; throws std::bad_alloc, and what T's
/// constructor throws.
template <class T>
class HugeArray {
 public:
  HugeArray() = default;
  explicit HugeArray(std::size_t size) : size_(size) {
    constexpr std::size_t huge_page = std::size_t{2} << 20U;
    void* raw =
        ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) throw std::bad_alloc();
    if (bytes() >= huge_page) ::madvise(raw, bytes(), MADV_HUGEPAGE);  // a wish, not a need
    data_ = static_cast<T*>(raw);
    if constexpr (!zero_is_value) {
      try {
        std::uninitialized_value_construct_n(data_, size_);
      } catch (...) {
        ::munmap(raw, bytes());
        throw;
      }
    }
  }
  HugeArray(HugeArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  HugeArray& operator=(HugeArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~HugeArray() {
    if (data_ == nullptr) return;
    if constexpr (!zero_is_value) std::destroy_n(data_, size_);
    ::munmap(static_cast<void*>(data_), bytes());
  }

  /// Brings every element back to how it started.
  void reset() {
    if constexpr (zero_is_value) {
      if (data_ != nullptr) std::memset(static_cast<void*>(data_), 0, bytes());
    } else {
      for (std::size_t i = 0; i < size_; ++i) data_[i] = T{};
    }
  }

  T& operator[](std::size_t index) noexcept { return data_[index]; }
  const T& operator[](std::size_t index) const noexcept { return data_[index]; }
  T* data() noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t bytes() const noexcept { return size_ * sizeof(T); }

 private:
  // Fresh memory is zero already.
  static constexpr bool zero_is_value = std::is_trivially_copyable_v<T>;

  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace muster::mapreduce
