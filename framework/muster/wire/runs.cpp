#include <cstring>

#include <muster/wire/frame.hpp>
#include <muster/wire/runs.hpp>

namespace muster::wire {

// What stands before the bytes of a RunBytes without trouble: its number and two sizes.
constexpr std::size_t run_bytes_head = 3 * sizeof(std::uint64_t);

char* start_run_bytes(Bytes& frame, std::uint64_t number, std::size_t bytes) {
  const std::uint64_t head[3] = {number, 0, bytes};
  static_assert(sizeof(head) == run_bytes_head);
  frame.resize(frame_header_bytes + run_bytes_head + bytes);  // what is there already stays
  std::memcpy(frame.data() + frame_header_bytes, head, sizeof(head));
  return frame.data() + frame_header_bytes + run_bytes_head;
}

RunBytesView read_run_bytes(std::string_view body) {
  ByteReader in(body);
  RunBytesView out;
  out.number = in.fixed<std::uint64_t>();
  out.trouble = in.take(in.fixed<std::uint64_t>());
  out.bytes = in.take(in.fixed<std::uint64_t>());
  in.finish();
  return out;
}

}  // namespace muster::wire
