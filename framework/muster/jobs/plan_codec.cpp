#include <string>
#include <utility>

#include <muster/jobs/plan_codec.hpp>

namespace muster::jobs {
namespace {

void put(ByteWriter& out, const mapreduce::Chunk& chunk) {
  out.varint(chunk.size());
  for (const mapreduce::Range& each : chunk) {
    out.varint(each.file);
    out.varint(each.offset);
    out.varint(each.length);
  }
}

mapreduce::Chunk get_chunk(ByteReader& in, const Plan& plan) {
  mapreduce::Chunk out;
  for (std::uint64_t count = in.varint(); count > 0; --count) {
    const std::uint64_t file = in.varint();
    const std::uint64_t offset = in.varint();
    const std::uint64_t length = in.varint();
    if (file >= plan.files.size()) in.fail("a chunk is of a file that is not there");
    const std::uint64_t size = plan.files[file].size;
    if (offset > size || length > size - offset) in.fail("a chunk ends beyond its file");
    out.push_back({static_cast<std::uint32_t>(file), offset, length});
  }
  if (out.empty()) in.fail("a chunk has no range");
  return out;
}

}  // namespace

Bytes encode(const Plan& plan) {
  Bytes bytes;
  ByteWriter out(bytes);
  mapreduce::MapRequest task;
  task.task = plan.task;
  out.string(mapreduce::encode(task));
  plugin::PluginInfo plugin;
  plugin.name = plan.plugin_name;
  plugin.version = plan.plugin_version;
  plugin.tasks = {plan.info};
  out.string(plugin::encode(plugin));
  out.varint(plan.files.size());
  for (const mapreduce::InputFile& each : plan.files) {
    out.string(std::filesystem::absolute(each.path).native());
    out.string(each.name);
    out.varint(each.size);
  }
  out.varint(plan.chunks.size());
  for (const mapreduce::Chunk& each : plan.chunks) put(out, each);
  out.varint(plan.input_bytes);
  out.varint(plan.partitions);
  out.varint(plan.workers);
  out.varint(plan.memory_bytes);
  return bytes;
}

Plan decode_plan(std::string_view bytes) {
  ByteReader in(bytes, "a job's plan");
  Plan plan;
  plan.task = mapreduce::decode_map_request(in.string()).task;
  plugin::PluginInfo plugin = plugin::decode_plugin_info(in.string());
  if (plugin.tasks.size() != 1) in.fail("it is not of one task");
  plan.plugin_name = std::move(plugin.name);
  plan.plugin_version = std::move(plugin.version);
  plan.info = std::move(plugin.tasks.front());
  for (std::uint64_t count = in.varint(); count > 0; --count) {
    mapreduce::InputFile file;
    file.path = in.string();
    file.name = in.string();
    file.size = in.varint();
    plan.files.push_back(std::move(file));
  }
  for (std::uint64_t count = in.varint(); count > 0; --count)
    plan.chunks.push_back(get_chunk(in, plan));
  plan.input_bytes = in.varint();
  plan.partitions = static_cast<std::uint32_t>(in.varint());
  if (plan.partitions == 0 || plan.partitions > partitions_max)
    in.fail("it has no partitions, or too many");
  plan.workers = static_cast<unsigned>(in.varint());
  plan.memory_bytes = in.varint();
  in.finish();
  return plan;
}

}  // namespace muster::jobs
