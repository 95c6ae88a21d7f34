#include <muster/cluster/task_death.hpp>

namespace muster::cluster {

Bytes encode(const WorkerDeath& death) {
  Bytes out;
  ByteWriter writer(out);
  writer.fixed(death.pid);
  writer.fixed(death.signal);
  writer.fixed(death.exit_code);
  writer.fixed(death.max_rss_bytes);
  writer.fixed(death.user_time_us);
  writer.fixed(death.system_time_us);
  writer.fixed(death.position);
  writer.fixed(death.out_of_memory);
  writer.fixed(death.deaths);
  writer.string(death.stderr_tail);
  writer.fixed(death.task);
  return out;
}

WorkerDeath decode_death(std::string_view bytes) {
  ByteReader in(bytes, "the death of a task process");
  WorkerDeath out;
  out.pid = in.fixed<pid_t>();
  out.signal = in.fixed<int>();
  out.exit_code = in.fixed<int>();
  out.max_rss_bytes = in.fixed<std::uint64_t>();
  out.user_time_us = in.fixed<std::uint64_t>();
  out.system_time_us = in.fixed<std::uint64_t>();
  out.position = in.fixed<std::uint64_t>();
  out.out_of_memory = in.fixed<bool>();
  out.deaths = in.fixed<unsigned>();
  out.stderr_tail = std::string(in.string());
  out.task = in.fixed<std::uint64_t>();
  in.finish();
  return out;
}

}  // namespace muster::cluster
