#pragma once

#include <concepts>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <muster/codec/message.hpp>
#include <muster/executors/errors.hpp>

namespace muster {

/// An E that was thrown in another process: caught as E, or as RemoteFacts. For a std::exception,
/// what() is what the original said.
template <class E>
class Remote : public E, public RemoteFacts {
 public:
  /// As the receiving side makes it.
  Remote(E error, const RemoteFacts& facts) : E(std::move(error)), RemoteFacts(facts) {}
};

/// The same for exceptions of the standard kind.
template <std::derived_from<std::exception> E>
class Remote<E> : public E, public RemoteFacts {
 public:
  /// As the receiving side makes it.
  Remote(E error, const RemoteFacts& facts) : E(std::move(error)), RemoteFacts(facts) {}

  /// What the original said.
  const char* what() const noexcept override {
    return RemoteFacts::chain().front().message.c_str();
  }
};

namespace detail {

/// How exceptions of one type travel.
struct ErrorType {
  const std::type_info* type = nullptr;
  /// In a catch block: appends what `raise` needs beyond the facts. False: the exception is none of
  /// this type, or cannot be sent.
  bool (*encode)(Bytes& out) = nullptr;
  /// Throws the Remote; or Error(corrupt), or what the type's own functions throw.
  void (*raise)(ByteReader& in, const RemoteFacts& facts) = nullptr;
};

/// Does nothing if the type is known. Thread-safe.
void add_error_type(const ErrorType& type);

template <class E>
struct SentError {
  static bool encode(Bytes& out) {
    try {
      throw;
    } catch (const E& error) {
      if constexpr (Sendable<E>) encode_message(out, error);
      return true;
    } catch (...) {
      return false;
    }
  }

  static void raise(ByteReader& in, const RemoteFacts& facts) {
    if constexpr (Sendable<E>) {
      E error = decode_message<E>(in);
      in.finish();
      throw Remote<E>(std::move(error), facts);
    } else {
      in.finish();
      throw Remote<E>(E(facts.chain().front().message), facts);
    }
  }
};

}  // namespace detail

/// From now on exceptions of type E that a task process throws arrive as Remote<E>, so that
/// `catch (const E&)` works as it does with threads. To be called before init(), as task processes
/// know what was registered then; of a type they do not know they throw RemoteError. Thread-safe;
/// doing it again does nothing.
///
/// E is Sendable, and travels whole; or it is derived from std::exception and can be made from a
/// std::string, and is made from what(). It is not final. Only exceptions of this very type are
/// meant, not of types derived from it, each of which is to be registered itself.
///
/// Registered from the start are the standard library's (but std::regex_error; a std::system_error
/// only with a category of the standard library) and those of muster that a task may throw.
///
/// If there is no rebuilding the object, because its own functions throw or it has more than 512
/// KiB, it is a RemoteError.
template <class E>
void register_error() {
  static_assert(std::is_class_v<E> && !std::is_final_v<E>,
                "an exception arrives as an object of a class derived from its type: that must be "
                "a class that is not final");
  static_assert(
      Sendable<E> ||
          (std::derived_from<E, std::exception> && std::constructible_from<E, std::string>),
      "give the exception a serialize(Archive&) function and a default constructor, see "
      "docs/sending.md; or derive it from std::exception and let it be made from a std::string");
  static_assert(std::move_constructible<E>, "an exception must have a move or copy constructor");
  detail::add_error_type({&typeid(E), &detail::SentError<E>::encode, &detail::SentError<E>::raise});
}

}  // namespace muster
