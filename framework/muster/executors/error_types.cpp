#include <algorithm>
#include <any>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <system_error>
#include <variant>
#include <vector>

#include <muster/base/error.hpp>
#include <muster/executors/error_types.hpp>
#include <muster/futures/errors.hpp>

namespace muster::detail {
namespace {

/// Types that say nothing but what they are.
template <class E>
struct FixedError {
  static bool encode(Bytes&) {
    try {
      throw;
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }
  static void raise(ByteReader& in, const RemoteFacts& facts) {
    in.finish();
    throw Remote<E>(E(), facts);
  }
};

// Categories are compared by address, so only those that both sides have can be sent.
enum class Category : std::uint8_t { generic, system, iostream, future };
constexpr std::uint8_t categories = 4;

const std::error_category& category_of(Category category) {
  switch (category) {
    case Category::generic:
      return std::generic_category();
    case Category::system:
      return std::system_category();
    case Category::iostream:
      return std::iostream_category();
    case Category::future:
      break;
  }
  return std::future_category();
}

bool encode_code(ByteWriter& out, const std::error_code& code) {
  for (std::uint8_t i = 0; i < categories; ++i) {
    if (code.category() != category_of(Category{i})) continue;
    out.fixed(i);
    out.fixed<std::int32_t>(code.value());
    return true;
  }
  return false;
}

std::error_code decode_code(ByteReader& in) {
  const auto category = in.fixed<std::uint8_t>();
  if (category >= categories) in.fail("unknown category of an error code");
  return {in.fixed<std::int32_t>(), category_of(Category{category})};
}

/// std::system_error and what is derived from it.
template <class E>
struct CodedError {
  static bool encode(Bytes& out) {
    ByteWriter writer(out);
    try {
      throw;
    } catch (const E& error) {
      if constexpr (std::is_same_v<E, std::filesystem::filesystem_error>) {
        writer.string(error.path1().native());
        writer.string(error.path2().native());
      }
      return encode_code(writer, error.code());
    } catch (...) {
      return false;
    }
  }

  static void raise(ByteReader& in, const RemoteFacts& facts) {
    const std::string& what = facts.chain().front().message;
    if constexpr (std::is_same_v<E, std::filesystem::filesystem_error>) {
      const std::filesystem::path path1(in.string());
      const std::filesystem::path path2(in.string());
      const std::error_code code = decode_code(in);
      in.finish();
      throw Remote<E>(E(what, path1, path2, code), facts);
    } else {
      const std::error_code code = decode_code(in);
      in.finish();
      if constexpr (std::is_same_v<E, std::future_error>) {
        throw Remote<E>(E(static_cast<std::future_errc>(code.value())), facts);
      } else if constexpr (std::is_same_v<E, std::ios_base::failure>) {
        throw Remote<E>(E(what, code), facts);
      } else {
        throw Remote<E>(E(code, what), facts);
      }
    }
  }
};

/// Code and hint are among the facts.
struct OwnError : FixedError<Error> {
  static void raise(ByteReader& in, const RemoteFacts& facts) {
    in.finish();
    throw Remote<Error>(Error(facts.code(), facts.chain().front().message, facts.hint()), facts);
  }
};

using Types = std::vector<ErrorType>;

template <template <class> class Way, class... E>
void add(Types& types) {
  (types.push_back({&typeid(E), &Way<E>::encode, &Way<E>::raise}), ...);
}

Types built_in() {
  Types out;
  add<FixedError, std::exception, std::bad_exception, std::bad_alloc, std::bad_array_new_length,
      std::bad_cast, std::bad_any_cast, std::bad_typeid, std::bad_function_call, std::bad_weak_ptr,
      std::bad_optional_access, std::bad_variant_access, BrokenPromiseError>(out);
  add<SentError, std::logic_error, std::domain_error, std::invalid_argument, std::length_error,
      std::out_of_range, std::runtime_error, std::range_error, std::overflow_error,
      std::underflow_error>(out);
  add<CodedError, std::system_error, std::filesystem::filesystem_error, std::ios_base::failure,
      std::future_error>(out);
  add<SentError, CancelledError, TimeoutError, DeadlineError, InvalidStateError, DeadlockError,
      BrokenExecutor>(out);
  out.push_back({&typeid(Error), &OwnError::encode, &OwnError::raise});
  return out;
}

struct Registry {
  std::mutex mutex;
  Types types = built_in();
};

/// Never destroyed: pools may outlive static objects.
Registry& registry() {
  static Registry& registry = *new Registry;
  return registry;
}

template <class Matches>
std::optional<std::uint32_t> number_of(Matches matches) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  const auto found = std::find_if(all.types.begin(), all.types.end(), matches);
  if (found == all.types.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - all.types.begin());
}

}  // namespace

void add_error_type(const ErrorType& type) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  const bool known = std::any_of(all.types.begin(), all.types.end(),
                                 [&](const ErrorType& each) { return *each.type == *type.type; });
  if (!known) all.types.push_back(type);
}

std::optional<std::uint32_t> error_type_number(const std::type_info& type) {
  return number_of([&](const ErrorType& each) { return *each.type == type; });
}

std::optional<std::uint32_t> error_type_number(std::string_view mangled_name) {
  return number_of([&](const ErrorType& each) { return each.type->name() == mangled_name; });
}

std::optional<ErrorType> error_type(std::uint32_t number) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  if (number >= all.types.size()) return std::nullopt;
  return all.types[number];
}

}  // namespace muster::detail
