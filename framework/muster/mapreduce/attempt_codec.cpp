#include <muster/mapreduce/attempt.hpp>

namespace muster::mapreduce {
namespace {

void put(ByteWriter& out, const TaskRef& task) {
  out.string(task.plugin.native());
  out.string(task.task);
  out.varint(task.settings.size());
  for (const plugin::Setting& each : task.settings) {
    out.string(each.name);
    out.string(each.value);
  }
}

TaskRef get_task(ByteReader& in) {
  TaskRef task;
  task.plugin = in.string();
  task.task = in.string();
  for (std::uint64_t count = in.varint(); count > 0; --count) {
    std::string name(in.string());
    task.settings.push_back({std::move(name), std::string(in.string())});
  }
  return task;
}

void put(ByteWriter& out, const PartTotals& part) {
  out.varint(part.records);
  out.varint(part.bytes);
  out.fixed(part.checksum);
}

PartTotals get_part(ByteReader& in) {
  PartTotals part;
  part.records = in.varint();
  part.bytes = in.varint();
  part.checksum = in.fixed<std::uint64_t>();
  return part;
}

}  // namespace

Bytes encode(const MapRequest& request) {
  Bytes bytes;
  ByteWriter out(bytes);
  put(out, request.task);
  encode(bytes, request.ranges);
  out.varint(request.partitions);
  out.varint(request.memory_bytes);
  out.string(request.output.native());
  out.fixed(request.lasting);
  return bytes;
}

MapRequest decode_map_request(std::string_view bytes) {
  ByteReader in(bytes, "a map request");
  MapRequest request;
  request.task = get_task(in);
  request.ranges = decode_input_ranges(in);
  request.partitions = static_cast<std::uint32_t>(in.varint());
  if (request.partitions == 0) throw Error(ErrorCode::corrupt, "a map request has no partitions");
  request.memory_bytes = in.varint();
  request.output = in.string();
  request.lasting = in.fixed<bool>();
  in.finish();
  return request;
}

Bytes encode(const MapResult& result) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.varint(result.records_in);
  out.varint(result.partition_records.size());
  for (const std::uint64_t each : result.partition_records) out.varint(each);
  out.varint(result.run_bytes);
  put(out, result.part);
  return bytes;
}

MapResult decode_map_result(std::string_view bytes) {
  ByteReader in(bytes, "a map result");
  MapResult result;
  result.records_in = in.varint();
  for (std::uint64_t count = in.varint(); count > 0; --count) {
    result.partition_records.push_back(in.varint());
  }
  result.run_bytes = in.varint();
  result.part = get_part(in);
  in.finish();
  return result;
}

Bytes encode(const ReduceRequest& request) {
  Bytes bytes;
  ByteWriter out(bytes);
  put(out, request.task);
  out.varint(request.partition);
  out.varint(request.memory_bytes);
  out.varint(request.runs.size());
  for (const auto& each : request.runs) out.string(each.native());
  out.string(request.output.native());
  out.fixed(request.format);
  out.fixed(request.lasting);
  return bytes;
}

ReduceRequest decode_reduce_request(std::string_view bytes) {
  ByteReader in(bytes, "a reduce request");
  ReduceRequest request;
  request.task = get_task(in);
  request.partition = static_cast<std::uint32_t>(in.varint());
  request.memory_bytes = in.varint();
  for (std::uint64_t count = in.varint(); count > 0; --count) {
    request.runs.emplace_back(in.string());
  }
  request.output = in.string();
  request.format = in.fixed<PartFormat>();
  request.lasting = in.fixed<bool>();
  in.finish();
  return request;
}

Bytes encode(const ReduceResult& result) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.varint(result.records_in);
  put(out, result.part);
  return bytes;
}

ReduceResult decode_reduce_result(std::string_view bytes) {
  ByteReader in(bytes, "a reduce result");
  ReduceResult result;
  result.records_in = in.varint();
  result.part = get_part(in);
  in.finish();
  return result;
}

}  // namespace muster::mapreduce
