#pragma once

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/base/error.hpp>
#include <muster/codec/message.hpp>
#include <muster/executors/function_codec.hpp>
#include <muster/executors/remote_call.hpp>

namespace muster::detail {

template <class T>
inline constexpr bool is_text_pointer = std::is_same_v<T, const char*> || std::is_same_v<T, char*>;

/// A function of muster's own that is called another way in a task process: F::call_remotely().
template <class F>
inline constexpr bool has_remote_call = false;

/// How an argument travels. A pointer to text is sent as the text; everything else by the message
/// codec, in pieces where it is large.
template <class A>
struct ArgumentCodec {
  static constexpr bool is_sendable = Sendable<A>;
  static constexpr bool is_flat_argument = is_flat<A>;

  static void encode(EncodedCall& out, const A& value) {
    if constexpr (std::is_same_v<A, std::string> || is_raw_vector<A>) {
      const std::string_view raw(reinterpret_cast<const char*>(value.data()),
                                 value.size() * sizeof(*value.data()));
      ByteWriter(out.bytes()).fixed<std::uint64_t>(raw.size());
      if (raw.size() >= EncodedCall::borrowed_bytes_min) {
        out.borrow(raw);
      } else {
        out.bytes().append(raw);
      }
    } else {
      encode_message(out.bytes(), value);
    }
  }

  /// What the function is called with.
  class Decoded {
   public:
    explicit Decoded(ByteReader& in) : value_(decode(in)) {}
    A&& pass() { return std::move(value_); }

   private:
    static A decode(ByteReader& in) {
      if constexpr (std::is_same_v<A, std::string>) {
        return A(in.take(in.fixed<std::uint64_t>()));
      } else if constexpr (is_raw_vector<A>) {
        const std::string_view raw = in.take(in.fixed<std::uint64_t>());
        A out(raw.size() / sizeof(typename A::value_type));
        if (!out.empty()) std::memcpy(out.data(), raw.data(), out.size() * sizeof(out[0]));
        return out;
      } else {
        return decode_message<A>(in);
      }
    }
    A value_;
  };
};

template <class A>
requires is_text_pointer<A>
struct ArgumentCodec<A> {
  static constexpr bool is_sendable = true;
  static constexpr bool is_flat_argument = false;

  static void encode(EncodedCall& out, const char* text) {
    if (text == nullptr) {
      throw Error(ErrorCode::usage, "a null pointer was given where text is sent",
                  "send a std::optional<std::string> if there may be none");
    }
    const std::string_view raw(text);
    ByteWriter(out.bytes()).fixed<std::uint64_t>(raw.size());
    out.bytes().append(raw);
  }

  class Decoded {
   public:
    explicit Decoded(ByteReader& in) : text_(in.take(in.fixed<std::uint64_t>())) {}
    A pass() { return text_.data(); }

   private:
    std::string text_;
  };
};

template <class A>
inline constexpr bool is_const_reference = false;
template <class T>
inline constexpr bool is_const_reference<std::reference_wrapper<const T>> = true;

/// What std::cref names is sent from where it lies. The function gets a std::cref, too: of its own
/// process's copy.
template <class T>
struct ArgumentCodec<std::reference_wrapper<const T>> {
  static constexpr bool is_sendable = Sendable<T>;
  static constexpr bool is_flat_argument = false;

  static void encode(EncodedCall& out, const std::reference_wrapper<const T>& value) {
    ArgumentCodec<T>::encode(out, value.get());
  }

  class Decoded {
   public:
    explicit Decoded(ByteReader& in) : value_(in) {}
    std::reference_wrapper<const T> pass() {
      const T& value = value_.pass();
      return std::cref(value);
    }

   private:
    typename ArgumentCodec<T>::Decoded value_;
  };
};

/// How a result travels. A string or a flat vector is sent from where it lies, and a string becomes
/// the future's value without another copy. Specialised for results that hold errors.
template <class R>
struct ResultCodec {
  static constexpr bool is_sendable = Sendable<R>;

  static void send(ResultSink& out, const R& value) {
    if constexpr (std::is_same_v<R, std::string>) {
      out.send(value);
    } else if constexpr (is_raw_vector<R>) {
      out.send({reinterpret_cast<const char*>(value.data()), value.size() * sizeof(*value.data())});
    } else {
      Bytes bytes;
      bytes.reserve(message_size_hint(value));
      encode_message(bytes, value);
      out.send(bytes);
    }
  }

  static R decode(Bytes&& bytes) {
    if constexpr (std::is_same_v<R, std::string>) {
      return std::move(bytes);
    } else if constexpr (is_raw_vector<R>) {
      R out(bytes.size() / sizeof(typename R::value_type));
      if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(out[0]));
      return out;
    } else {
      ByteReader in(bytes, "a result");
      R out = decode_message<R>(in);
      in.finish();
      return out;
    }
  }
};

template <>
struct ResultCodec<void> {
  static constexpr bool is_sendable = true;
};

}  // namespace muster::detail
