#include <array>
#include <new>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include <cxxabi.h>
#include <unistd.h>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/error_types.hpp>
#include <muster/executors/errors.hpp>
#include <muster/executors/throw_trace.hpp>
#include <muster/executors/type_name.hpp>

namespace muster::detail {
namespace {

constexpr std::size_t causes_max = 32;
constexpr std::size_t text_bytes_max = std::size_t{16} << 10U;
constexpr std::size_t value_bytes_max = std::size_t{512} << 10U;
constexpr std::size_t host_bytes_max = 256;
static_assert((2 * causes_max + 2) * text_bytes_max + value_bytes_max + host_bytes_max +
                  ThrowTrace::frames_max * (ThrowTrace::frame_bytes_max + 8) <
              error_bytes_max);

constexpr std::uint32_t not_registered = ~std::uint32_t{0};

struct Description {
  RemoteErrorDetails details;
  std::uint32_t type = not_registered;  // its number
  Bytes value;                          // of a registered type
};

// What std::throw_with_nested throws is of a type of the library's own, derived from E.
constexpr std::string_view nested_prefix = "St17_Nested_exceptionI";
constexpr std::string_view nested_suffix = "E";

/// The mangled name of the type somebody threw.
std::string thrown_type(const std::type_info& type) {
  const std::string_view name = type.name();
  if (!name.starts_with(nested_prefix)) return std::string(name);
  const std::size_t size = name.size() - nested_prefix.size() - nested_suffix.size();
  return std::string(name.substr(nested_prefix.size(), size));
}

std::string shortened(std::string text) {
  if (text.size() > text_bytes_max) text.resize(text_bytes_max);
  return text;
}

RemoteCause cause_of(const std::string& message) {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return {"an exception of another language", message};
  return {shortened(type_name(thrown_type(*type).c_str())), message};
}

/// Describes the exception being handled, then what it was nested around, and so on.
void describe_chain(RemoteErrorDetails& out) {
  try {
    throw;
  } catch (const std::exception& error) {
    if (out.chain.empty()) {
      if (const auto* own = dynamic_cast<const Error*>(&error)) {
        out.code = own->code();
        out.hint = shortened(own->hint());
        out.names_itself = true;
      } else if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
        out.code = ErrorCode::limit;
      }
    }
    out.chain.push_back(cause_of(shortened(error.what())));
    if (out.chain.size() == causes_max) return;
    try {
      std::rethrow_if_nested(error);
    } catch (...) {
      describe_chain(out);
    }
  } catch (...) {
    out.chain.push_back(cause_of({}));
  }
}

/// If the type of the exception being handled is registered, and its value can be had.
void describe_value(Description& out) {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return;
  auto number = error_type_number(*type);
  if (!number) number = error_type_number(thrown_type(*type));
  if (!number) return;
  try {
    const bool encoded = error_type(*number)->encode(out.value);
    if (encoded && out.value.size() <= value_bytes_max) out.type = *number;
  } catch (...) {
    out.type = not_registered;  // its own functions threw: what is known without them is sent
  }
  if (out.type == not_registered) out.value.clear();
}

void describe_process(RemoteErrorDetails& out) {
  std::array<char, host_bytes_max> name{};
  // One that does not fit is cut.
  out.host = ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "an unnamed host";
  out.pid = ::getpid();
}

void write_texts(ByteWriter& writer, const std::vector<std::string>& texts) {
  writer.varint(texts.size());
  for (const std::string& each : texts) writer.string(each);
}

Bytes encode(const Description& description) {
  const RemoteErrorDetails& details = description.details;
  Bytes out;
  ByteWriter writer(out);
  writer.fixed(details.code);
  writer.fixed(details.names_itself);
  writer.string(details.hint);
  writer.varint(details.chain.size());
  for (const RemoteCause& cause : details.chain) {
    writer.string(cause.type);
    writer.string(cause.message);
  }
  write_texts(writer, details.backtrace);
  writer.string(details.host);
  writer.fixed(details.pid);
  writer.fixed(description.type);
  writer.string(description.value);
  return out;
}

std::string read_text(ByteReader& reader, std::size_t bytes_max) {
  const std::string_view text = reader.string();
  if (text.size() > bytes_max) reader.fail("a text is too long");
  return std::string(text);
}

Description decode(std::string_view bytes) {
  ByteReader reader(bytes, "error of a task");
  Description out;
  RemoteErrorDetails& details = out.details;
  details.code = reader.fixed<ErrorCode>();
  if (details.code > last_error_code) reader.fail("unknown error code");
  details.names_itself = reader.fixed<bool>();
  details.hint = read_text(reader, text_bytes_max);
  const std::uint64_t causes = reader.varint();
  if (causes == 0 || causes > causes_max) reader.fail("bad error chain");
  for (std::uint64_t i = 0; i < causes; ++i) {
    std::string type = read_text(reader, text_bytes_max);
    details.chain.push_back({std::move(type), read_text(reader, text_bytes_max)});
  }
  const std::uint64_t frames = reader.varint();
  if (frames > ThrowTrace::frames_max) reader.fail("bad backtrace");
  for (std::uint64_t i = 0; i < frames; ++i) {
    details.backtrace.push_back(read_text(reader, ThrowTrace::frame_bytes_max));
  }
  details.host = read_text(reader, host_bytes_max);
  details.pid = reader.fixed<pid_t>();
  out.type = reader.fixed<std::uint32_t>();
  out.value = reader.string();
  reader.finish();
  return out;
}

/// In a catch block.
Bytes encode_current(const ThrowTrace& trace) noexcept {
  try {
    Description description;
    describe_chain(description.details);
    describe_process(description.details);
    description.details.backtrace = trace.frames();
    describe_value(description);
    return encode(description);
  } catch (...) {
    return {};  // what is left to say fits no memory; the decoder says so
  }
}

[[noreturn]] void raise(const Description& description, const RemoteFacts& facts) {
  const auto type = error_type(description.type);
  // Of another type than its name says: the number is wrong.
  if (type && type_name(type->type->name()) == facts.type()) {
    ByteReader value(description.value, "the value of an exception");
    type->raise(value, facts);
  }
  throw RemoteError(facts);
}

}  // namespace

[[gnu::noinline]] std::optional<Bytes> encode_error_of(void (*call)(void* context),
                                                       void* context) noexcept {
  const ThrowTrace trace(__builtin_frame_address(0), reinterpret_cast<const void*>(call));
  try {
    call(context);
    return std::nullopt;
  } catch (const ThrowProbe&) {
    MUSTER_ASSERT(false);
  } catch (...) {
    return encode_current(trace);
  }
}

std::exception_ptr decode_exception(std::string_view bytes) noexcept {
  if (bytes.empty()) {
    return std::make_exception_ptr(
        Error(ErrorCode::limit, "the task threw, and there was no memory left to say what"));
  }
  try {
    Description description = decode(bytes);
    const RemoteFacts facts(std::move(description.details));
    try {
      raise(description, facts);
    } catch (const RemoteFacts&) {
      return std::current_exception();
    } catch (...) {
      throw RemoteError(facts);  // there is no rebuilding it; what is known without is not lost
    }
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace muster::detail
