#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include <cxxabi.h>

#include <muster/base/error.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/errors.hpp>

namespace muster::detail {
namespace {

constexpr std::size_t causes_max = 32;
constexpr std::size_t text_bytes_max = std::size_t{16} << 10U;
static_assert((2 * causes_max + 1) * text_bytes_max < error_bytes_max);

struct Description {
  ErrorCode code = ErrorCode::task;
  bool speaks_for_itself = false;  // a muster::Error: its message needs no type in front
  std::string hint;
  std::vector<RemoteCause> chain;
};

std::string demangled(const char* mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : mangled;
}

std::string shortened(std::string text) {
  if (text.size() > text_bytes_max) text.resize(text_bytes_max);
  return text;
}

/// Describes the exception being handled, then what it was nested around, and so on.
void describe_current(Description& out) {
  try {
    throw;
  } catch (const std::exception& error) {
    if (out.chain.empty()) {
      if (const auto* own = dynamic_cast<const Error*>(&error)) {
        out.code = own->code();
        out.hint = shortened(own->hint());
        out.speaks_for_itself = true;
      } else if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
        out.code = ErrorCode::limit;
      }
    }
    out.chain.push_back({shortened(demangled(typeid(error).name())), shortened(error.what())});
    if (out.chain.size() == causes_max) return;
    try {
      std::rethrow_if_nested(error);
    } catch (...) {
      describe_current(out);
    }
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    out.chain.push_back({type == nullptr ? "unknown" : shortened(demangled(type->name())), ""});
  }
}

Bytes encode(const Description& description) {
  Bytes out;
  ByteWriter writer(out);
  writer.fixed(description.code);
  writer.fixed(static_cast<std::uint8_t>(description.speaks_for_itself));
  writer.string(description.hint);
  writer.varint(description.chain.size());
  for (const RemoteCause& cause : description.chain) {
    writer.string(cause.type);
    writer.string(cause.message);
  }
  return out;
}

Description decode(std::string_view bytes) {
  ByteReader reader(bytes, "error of a task");
  Description out;
  out.code = reader.fixed<ErrorCode>();
  if (out.code > ErrorCode::broken) throw Error(ErrorCode::corrupt, "unknown error code");
  out.speaks_for_itself = reader.fixed<std::uint8_t>() != 0;
  out.hint = reader.string();
  const std::uint64_t count = reader.varint();
  if (count == 0 || count > causes_max) throw Error(ErrorCode::corrupt, "bad error chain");
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string type(reader.string());
    out.chain.push_back({std::move(type), std::string(reader.string())});
  }
  reader.finish();
  return out;
}

std::string headline(const RemoteCause& cause, bool speaks_for_itself) {
  if (speaks_for_itself) return cause.message;
  return cause.message.empty() ? "threw " + cause.type : cause.type + ": " + cause.message;
}

}  // namespace

Bytes encode_current_exception() noexcept {
  try {
    Description description;
    describe_current(description);
    return encode(description);
  } catch (...) {
    return {};  // what is left to say fits no memory; the decoder says so
  }
}

Bytes encode_exception(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (...) {
    return encode_current_exception();
  }
}

std::exception_ptr decode_exception(std::string_view bytes) {
  if (bytes.empty()) {
    return std::make_exception_ptr(
        Error(ErrorCode::limit, "the task threw, and there was no memory left to say what"));
  }
  try {
    Description description = decode(bytes);
    std::string message = headline(description.chain.front(), description.speaks_for_itself);
    for (std::size_t i = 1; i < description.chain.size(); ++i) {
      message += "; caused by " + headline(description.chain[i], false);
    }
    return std::make_exception_ptr(RemoteError(
        description.code, message, std::move(description.hint), std::move(description.chain)));
  } catch (const Error&) {
    return std::current_exception();
  }
}

}  // namespace muster::detail
