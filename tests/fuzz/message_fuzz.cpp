#include "message_fuzz.hpp"

#include <muster/base/assert.hpp>

#include "unit/codec/message_samples.hpp"

namespace muster::fuzz {
namespace {

template <class T>
void try_as(std::string_view bytes) {
  Bytes first;
  try {
    ByteReader in(bytes);
    detail::encode_message(first, detail::decode_message<T>(in));
  } catch (const Error& error) {
    MUSTER_ASSERT(error.code() == ErrorCode::corrupt);
    return;
  }
  // What was decoded is a value like any other: it travels on. (Compared as bytes, because a NaN
  // equals nothing; sizes alone, because hashed sets have no order.)
  ByteReader in(first);
  Bytes second;
  detail::encode_message(second, detail::decode_message<T>(in));
  in.finish();
  MUSTER_ASSERT(second.size() == first.size());
}

}  // namespace

void try_message(std::string_view input) {
  if (input.empty()) return;
  int skipped = static_cast<unsigned char>(input[0]);
  samples::for_each_sample([&]<class T>(const T& /*value*/) {
    if (skipped-- == 0) try_as<T>(input.substr(1));
  });
}

}  // namespace muster::fuzz
