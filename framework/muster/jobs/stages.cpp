#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/jobs/stage.hpp>
#include <muster/jobs/task_functions.hpp>

namespace muster::jobs {
namespace {

std::string describe_input(const Plan& plan, std::string_view stage, std::uint32_t index) {
  const mapreduce::Chunk& chunk = plan.chunks[index];
  const mapreduce::Range& first = chunk.front();
  std::string out =
      fmt::format("{} chunk {} of {} ('{}' bytes {} to {}", stage, index + 1, plan.chunks.size(),
                  plan.files[first.file].name, first.offset, first.offset + first.length);
  if (chunk.size() > 1) out += fmt::format(" and {} more", chunk.size() - 1);
  return out + ")";
}

// Counts the newlines before each range, for tasks that want line numbers. Only ranges that others
// of the same file come after are counted.
class CountStage final : public Stage {
 public:
  CountStage(const Plan& plan, JobData& data) : plan_(plan), data_(data) {
    counts_.resize(plan.chunks.size());
    for (std::size_t i = 0; i < plan.chunks.size(); ++i) {
      counts_[i].resize(plan.chunks[i].size());
    }
  }

  static bool is_needed(const Plan& plan) {
    return plan.info.line_numbers &&
           std::any_of(plan.chunks.begin(), plan.chunks.end(),
                       [&](const mapreduce::Chunk& each) { return continues(plan, each.back()); });
  }

  std::string_view name() const override { return "count"; }
  std::uint32_t chunk_count() const override {
    return static_cast<std::uint32_t>(plan_.chunks.size());
  }
  std::uint64_t chunk_bytes(std::uint32_t chunk) const override {
    std::uint64_t bytes = 0;
    for (const mapreduce::Range& each : plan_.chunks[chunk]) {
      if (continues(plan_, each)) bytes += each.length;
    }
    return bytes;
  }
  std::string describe(std::uint32_t chunk) const override {
    return describe_input(plan_, name(), chunk);
  }
  std::string place(std::uint32_t, std::uint64_t) const override { return {}; }

  Call call(std::uint32_t chunk, std::string_view) const override {
    std::vector<mapreduce::InputRange> wanted = input_ranges(plan_, plan_.chunks[chunk]);
    std::erase_if(wanted, [](const mapreduce::InputRange& each) {
      return each.offset + each.length == each.file_size;
    });
    Bytes argument;
    encode(argument, wanted);
    return {CallKind::count, std::move(argument)};
  }

  void accept(std::uint32_t chunk, std::string_view, std::string_view result) override {
    ByteReader in(result, "a count result");
    for (std::size_t i = 0; i < counts_[chunk].size(); ++i) {
      if (continues(plan_, plan_.chunks[chunk][i])) counts_[chunk][i] = in.varint();
    }
    in.finish();
    if (++accepted_ == chunk_count()) add_up();
  }

 private:
  static bool continues(const Plan& plan, const mapreduce::Range& range) {
    return range.offset + range.length < plan.files[range.file].size;
  }

  void add_up() {
    data_.lines_before.resize(plan_.chunks.size());
    std::uint64_t lines = 0;
    for (std::size_t chunk = 0; chunk < plan_.chunks.size(); ++chunk) {
      for (std::size_t i = 0; i < plan_.chunks[chunk].size(); ++i) {
        if (plan_.chunks[chunk][i].offset == 0) lines = 0;
        data_.lines_before[chunk].push_back(lines);
        lines += counts_[chunk][i];
      }
    }
  }

  const Plan& plan_;
  JobData& data_;
  std::vector<std::vector<std::uint64_t>> counts_;
  std::uint32_t accepted_ = 0;
};

// Where an attempt writes a part of the result.
std::filesystem::path part_file(const Workspace& workspace, std::string_view attempt) {
  return workspace.parts / fmt::format("attempt-{}", attempt);
}

void take_part(const Workspace& workspace, JobData& data, std::uint32_t part,
               std::string_view attempt, const mapreduce::PartTotals& totals) {
  data.parts[part] = totals;
  data.part_files[part] = part_file(workspace, attempt);
}

class MapStage final : public Stage {
 public:
  MapStage(const Plan& plan, const Workspace& workspace, JobData& data)
      : plan_(plan), workspace_(workspace), data_(data) {
    if (plan.map_only()) {
      data_.parts.resize(plan.chunks.size());
      data_.part_files.resize(plan.chunks.size());
    } else {
      data_.runs.resize(plan.chunks.size());
      if (workspace.runs.empty()) counted_.resize(plan.chunks.size());
      data_.partition_records.resize(plan.partitions);
    }
  }

  std::string_view name() const override { return "map"; }
  std::uint32_t chunk_count() const override {
    return static_cast<std::uint32_t>(plan_.chunks.size());
  }
  std::uint64_t chunk_bytes(std::uint32_t chunk) const override {
    return bytes_of(plan_.chunks[chunk]);
  }
  std::string describe(std::uint32_t chunk) const override {
    return describe_input(plan_, name(), chunk);
  }
  std::string place(std::uint32_t chunk, std::uint64_t position) const override {
    return describe_position(input_ranges(plan_, plan_.chunks[chunk]), position);
  }

  Call call(std::uint32_t chunk, std::string_view attempt) const override {
    mapreduce::MapRequest request;
    request.task = plan_.task;
    request.ranges = input_ranges(plan_, plan_.chunks[chunk]);
    if (!data_.lines_before.empty()) {
      for (std::size_t i = 0; i < request.ranges.size(); ++i) {
        request.ranges[i].lines_before = data_.lines_before[chunk][i];
      }
    }
    request.partitions = plan_.partitions;
    request.memory_bytes = plan_.memory_bytes;
    request.output = file_of(attempt);
    request.lasting = workspace_.lasting;
    return {CallKind::map, encode(request)};
  }

  void accept(std::uint32_t chunk, std::string_view attempt, std::string_view bytes) override {
    const mapreduce::MapResult result = mapreduce::decode_map_result(bytes);
    if (plan_.map_only()) {
      data_.records_mapped += result.records_in;
      take_part(workspace_, data_, chunk, attempt, result.part);
      return;
    }
    data_.runs[chunk] = file_of(attempt);
    if (result.partition_records.size() != plan_.partitions)
      throw Error(ErrorCode::corrupt, describe(chunk) + ": its counts are not of the partitions");
    if (!counted_.empty()) {
      // What it had left may have been lost: then it counts as it is now.
      const Bytes before = std::exchange(counted_[chunk], Bytes(bytes));
      if (!before.empty()) count(mapreduce::decode_map_result(before), false);
    }
    count(result, true);
  }

 private:
  void count(const mapreduce::MapResult& result, bool adds) {
    const std::uint64_t sign = adds ? 1 : ~std::uint64_t{0};  // modulo 2^64
    data_.records_mapped += sign * result.records_in;
    data_.run_bytes += sign * result.run_bytes;
    for (std::size_t i = 0; i < result.partition_records.size(); ++i)
      data_.partition_records[i] += sign * result.partition_records[i];
  }

  std::filesystem::path file_of(std::string_view attempt) const {
    if (plan_.map_only()) return part_file(workspace_, attempt);
    return workspace_.runs / fmt::format("run-{}", attempt);
  }

  const Plan& plan_;
  const Workspace& workspace_;
  JobData& data_;
  std::vector<Bytes> counted_;  // by chunk: the result that was; only where runs can be lost
};

class ReduceStage final : public Stage {
 public:
  ReduceStage(const Plan& plan, const Workspace& workspace, JobData& data)
      : plan_(plan), workspace_(workspace), data_(data) {
    data_.parts.resize(plan.partitions);
    data_.part_files.resize(plan.partitions);
  }

  std::string_view name() const override { return "reduce"; }
  std::uint32_t chunk_count() const override { return plan_.partitions; }
  std::uint64_t chunk_bytes(std::uint32_t) const override {
    return data_.run_bytes / plan_.partitions;
  }
  std::string describe(std::uint32_t chunk) const override {
    return fmt::format("reduce of partition {} of {}", chunk + 1, plan_.partitions);
  }
  std::string place(std::uint32_t, std::uint64_t) const override { return {}; }

  Call call(std::uint32_t chunk, std::string_view attempt) const override {
    mapreduce::ReduceRequest request;
    request.task = plan_.task;
    request.partition = chunk;
    request.memory_bytes = plan_.memory_bytes;
    request.runs = data_.runs;
    request.output = part_file(workspace_, attempt);
    request.format =
        workspace_.lasting ? mapreduce::PartFormat::text : mapreduce::PartFormat::framed;
    request.lasting = workspace_.lasting;
    return {CallKind::reduce, encode(request)};
  }

  void accept(std::uint32_t chunk, std::string_view attempt, std::string_view bytes) override {
    const mapreduce::ReduceResult result = mapreduce::decode_reduce_result(bytes);
    if (result.records_in != data_.partition_records[chunk]) {
      throw Error(ErrorCode::corrupt,
                  fmt::format("{}: {} records were mapped, {} were reduced", describe(chunk),
                              data_.partition_records[chunk], result.records_in));
    }
    take_part(workspace_, data_, chunk, attempt, result.part);
  }

 private:
  const Plan& plan_;
  const Workspace& workspace_;
  JobData& data_;
};

}  // namespace

std::vector<std::unique_ptr<Stage>> make_stages(const Plan& plan, const Workspace& workspace,
                                                JobData& data) {
  std::vector<std::unique_ptr<Stage>> out;
  if (CountStage::is_needed(plan)) out.push_back(std::make_unique<CountStage>(plan, data));
  out.push_back(std::make_unique<MapStage>(plan, workspace, data));
  if (!plan.map_only()) out.push_back(std::make_unique<ReduceStage>(plan, workspace, data));
  return out;
}

}  // namespace muster::jobs
