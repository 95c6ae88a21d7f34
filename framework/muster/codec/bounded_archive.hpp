#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include <muster/base/bytes.hpp>

// cereal keeps the versions of classes in one map for the whole process, unguarded by default, and
// task threads encode at the same time.
#ifndef CEREAL_THREAD_SAFE
#define CEREAL_THREAD_SAFE 1
#endif
#include <cereal/cereal.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>
#if !CEREAL_THREAD_SAFE
#error "cereal was included without threads in mind: link muster::muster, or -DCEREAL_THREAD_SAFE=1"
#endif

// The archives themselves. Include <muster/codec/archive.hpp>, which has the types they know.

namespace muster {

/// Objects of classes with cereal functions of their own may lie within each other this deep.
/// Standard types between them do not count: how deep those nest is fixed by the type.
inline constexpr int nesting_max = 32;

/// cereal's output archive onto a buffer: appends binary, little endian, fixed widths; sizes of
/// containers take 8 bytes. Not thread-safe; refers to the buffer, which must outlive it.
///
/// Throws Error(limit) when objects nest deeper than nesting_max. After an exception the buffer
/// holds a part of the value.
class OutputArchive : public cereal::OutputArchive<OutputArchive, cereal::AllowEmptyClassElision> {
 public:
  explicit OutputArchive(Bytes& out)
      : cereal::OutputArchive<OutputArchive, cereal::AllowEmptyClassElision>(this), out_(out) {}

  void write(const void* data, std::size_t size) {
    out_.append(static_cast<const char*>(data), size);
  }

  void write_count(std::uint64_t count) {
    ByteWriter(out_).fixed(count);
    size_min_ = std::max(size_min_, out_.size() + static_cast<std::size_t>(count));
  }

  /// To be called when all is written. InputArchive refuses containers with more elements than
  /// there are bytes after their size; this throws Error(usage) if one was written. That takes a
  /// class whose cereal functions write nothing: a class without such functions takes a byte at
  /// least.
  void finish() const {
    if (out_.size() >= size_min_) return;
    throw Error(ErrorCode::usage, "a container cannot be encoded: its elements take no bytes",
                "let the serialize function of the elements' class write something");
  }

  void enter() {
    if (++nesting_ > nesting_max) {
      throw Error(ErrorCode::limit,
                  "a value cannot be encoded: its objects are nested deeper than " +
                      std::to_string(nesting_max));
    }
  }
  void leave() noexcept { --nesting_; }

 private:
  Bytes& out_;
  std::size_t size_min_ = 0;
  int nesting_ = 0;
};

/// cereal's input archive for bytes of any origin. Not thread-safe; refers to the input.
///
/// Throws Error(corrupt) for what OutputArchive did not write: a size of a container that exceeds
/// the bytes that follow, a value that reaches beyond the end, truth values other than 0 and 1,
/// nesting deeper than nesting_max. (cereal's function for std::variant throws cereal::Exception;
/// decode_message() translates it.) After an exception the archive is of no use.
///
/// Memory: a size alone never makes memory be taken in proportion. Containers grow with the
/// elements that arrive; what is reserved ahead is at most memory_ahead_factor times the bytes of
/// the message, for all its containers together.
class InputArchive : public cereal::InputArchive<InputArchive, cereal::AllowEmptyClassElision> {
 public:
  static constexpr std::size_t memory_ahead_factor = 3;

  explicit InputArchive(std::string_view in) : InputArchive(nullptr, in) {}

  /// Reads on where `in` stands, and leaves it behind what was read.
  explicit InputArchive(ByteReader& in) : InputArchive(&in, {}) {}

  InputArchive(const InputArchive&) = delete;
  InputArchive& operator=(const InputArchive&) = delete;

  ByteReader& reader() noexcept { return in_; }
  std::size_t remaining() const noexcept { return in_.remaining(); }

  /// The size of a container.
  std::size_t read_count() {
    const auto count = in_.fixed<std::uint64_t>();
    if (count > in_.remaining()) in_.fail("a size exceeds the bytes that follow it");
    return static_cast<std::size_t>(count);
  }

  /// For how many of `count` elements of this size memory may be reserved ahead.
  std::size_t reservable(std::size_t count, std::size_t element_bytes) noexcept {
    const std::size_t granted = std::min(count, memory_ahead_ / element_bytes);
    memory_ahead_ -= granted * element_bytes;
    return granted;
  }

  void enter() {
    if (++nesting_ > nesting_max) in_.fail("its objects are nested deeper than 32");
  }
  void leave() noexcept { --nesting_; }

 private:
  static_assert(nesting_max == 32, "the message of enter() names it");

  InputArchive(ByteReader* in, std::string_view text)
      : cereal::InputArchive<InputArchive, cereal::AllowEmptyClassElision>(this),
        own_(text),
        in_(in == nullptr ? own_ : *in),
        memory_ahead_(memory_ahead_factor * in_.remaining()) {}

  ByteReader own_;
  ByteReader& in_;
  std::size_t memory_ahead_;
  int nesting_ = 0;
};

namespace detail {

template <class T>
inline constexpr bool always_false = false;

/// What cereal puts between a class and its members; not objects of their own.
template <class T>
inline constexpr bool is_wrapper = false;
template <class T>
inline constexpr bool is_wrapper<cereal::NameValuePair<T>> = true;
template <class T>
inline constexpr bool is_wrapper<cereal::SizeTag<T>> = true;
template <class T>
inline constexpr bool is_wrapper<cereal::BinaryData<T>> = true;
template <class T>
inline constexpr bool is_wrapper<cereal::DeferredData<T>> = true;
template <class T>
inline constexpr bool is_wrapper<cereal::base_class<T>> = true;
template <class T>
inline constexpr bool is_wrapper<cereal::virtual_base_class<T>> = true;
template <class K, class V>
inline constexpr bool is_wrapper<cereal::MapItem<K, V>> = true;

}  // namespace detail

// From here on: functions that cereal finds by their names and the type of the archive.

template <class T>
requires std::is_arithmetic_v<T>
void save(OutputArchive& out, const T& value) { out.write(&value, sizeof value); }

template <class T>
requires std::is_arithmetic_v<T>
void load(InputArchive& in, T& value) { value = in.reader().fixed<T>(); }

template <class T>
void save(OutputArchive& out, const cereal::NameValuePair<T>& pair) {
  out(pair.value);
}

template <class T>
void load(InputArchive& in, cereal::NameValuePair<T>& pair) {
  in(pair.value);
}

template <class T>
void save(OutputArchive& out, const cereal::SizeTag<T>& tag) {
  out.write_count(tag.size);
}

template <class T>
void load(InputArchive& in, cereal::SizeTag<T>& tag) {
  tag.size = static_cast<std::remove_reference_t<decltype(tag.size)>>(in.read_count());
}

template <class T>
void save(OutputArchive& out, const cereal::BinaryData<T>& data) {
  out.write(data.data, static_cast<std::size_t>(data.size));
}

template <class T>
void load(InputArchive& in, cereal::BinaryData<T>& data) {
  using Element = std::remove_all_extents_t<std::remove_pointer_t<std::remove_reference_t<T>>>;
  const std::string_view raw = in.reader().take(data.size);
  if constexpr (std::is_same_v<std::remove_cv_t<Element>, bool>) {
    if (std::any_of(raw.begin(), raw.end(), [](char each) { return each != 0 && each != 1; })) {
      in.reader().fail("a truth value is neither 0 nor 1");
    }
  }
  if (!raw.empty()) std::memcpy(data.data, raw.data(), raw.size());
}

// cereal/types/memory.hpp would let a message choose the type behind a shared_ptr (cereal issue
// 870). Where a program includes it for uses of its own, these are preferred.

template <class T>
void save(OutputArchive&, const std::shared_ptr<T>&) {
  static_assert(detail::always_false<T>, "a pointer means nothing in another process");
}
template <class T>
void load(InputArchive&, std::shared_ptr<T>&) {
  static_assert(detail::always_false<T>, "a pointer means nothing in another process");
}
template <class T, class D>
void save(OutputArchive&, const std::unique_ptr<T, D>&) {
  static_assert(detail::always_false<T>, "a pointer means nothing in another process");
}
template <class T, class D>
void load(InputArchive&, std::unique_ptr<T, D>&) {
  static_assert(detail::always_false<T>, "a pointer means nothing in another process");
}

}  // namespace muster

CEREAL_SETUP_ARCHIVE_TRAITS(muster::InputArchive, muster::OutputArchive);
