#include <nlohmann/json.hpp>

#include <muster/base/checksum.hpp>
#include <muster/base/version.hpp>
#include <muster/jobs/manifest.hpp>

namespace muster::jobs {

std::string make_manifest(const Plan& plan, const JobData& data) {
  using Json = nlohmann::ordered_json;
  Json settings = Json::object();
  for (const plugin::Setting& each : plan.task.settings) settings[each.name] = each.value;
  Json parts = Json::array();
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < data.parts.size(); ++i) {
    const mapreduce::PartTotals& part = data.parts[i];
    records += part.records;
    bytes += part.bytes;
    parts.push_back({{"name", mapreduce::part_name(i, data.parts.size())},
                     {"records", part.records},
                     {"bytes", part.bytes},
                     {"xxh3_64", to_hex(part.checksum)}});
  }
  const Json manifest = {{"schema", 1},
                         {"muster", version_text},
                         {"task", plan.info.name},
                         {"plugin", {{"name", plan.plugin_name}, {"version", plan.plugin_version}}},
                         {"settings", settings},
                         {"input", {{"files", plan.files.size()}, {"bytes", plan.input_bytes}}},
                         {"records_mapped", data.records_mapped},
                         {"records", records},
                         {"bytes", bytes},
                         {"parts", parts}};
  // Names and settings may hold any bytes; those that are not UTF-8 are replaced.
  return manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void commit_output(mapreduce::OutputDirectory& output, const Plan& plan, const JobData& data) {
  for (std::uint32_t i = 0; i < data.part_files.size(); ++i)
    output.adopt(data.part_files[i], i, data.part_files.size());
  output.commit(make_manifest(plan, data));
}

}  // namespace muster::jobs
