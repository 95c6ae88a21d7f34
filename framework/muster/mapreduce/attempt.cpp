#include <exception>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/mapreduce/attempt.hpp>
#include <muster/mapreduce/run_file.hpp>
#include <muster/plugin/loader.hpp>

namespace muster::mapreduce {
namespace {

// Well below what one block of a run file may hold (1 GiB), since a record may become one key.
constexpr std::uint64_t record_bytes_max = std::uint64_t{256} << 20U;

// A process serves many chunks of one job, one after the other: it keeps the instance, and with it
// the memory of its tables, as long as the same task with the same settings is asked for.
class InstanceCache {
 public:
  plugin::TaskInstance& get(const TaskRef& ref) {
    const std::string key = name_of(ref);
    if (!instance_ || key != key_) {
      instance_.reset();
      const muster_task& task = plugin::LoadedPlugin::load(ref.plugin).task(ref.task);
      instance_ = std::make_unique<plugin::TaskInstance>(task, ref.settings);
      key_ = key;
    }
    return *instance_;
  }
  // An instance that threw may be in any state.
  void forget() { instance_.reset(); }

 private:
  static std::string name_of(const TaskRef& ref) {
    Bytes key;
    ByteWriter out(key);
    out.string(ref.plugin.native());
    out.string(ref.task);
    for (const plugin::Setting& each : ref.settings) {
      out.string(each.name);
      out.string(each.value);
    }
    return key;
  }

  std::string key_;
  std::unique_ptr<plugin::TaskInstance> instance_;
};

InstanceCache& instances() {
  static InstanceCache cache;
  return cache;
}

// What the callbacks of either side share: exceptions wait here until the plugin has returned.
class HostSide {
 public:
  template <class Body>
  int guarded(Body&& body) noexcept {
    try {
      return body();
    } catch (...) {
      failure_ = std::current_exception();
      return -1;
    }
  }

  template <class Call>
  void run(Call&& call) {
    bool done = false;
    try {
      done = call();
    } catch (...) {
      instances().forget();
      throw;
    }
    if (done) return;
    instances().forget();
    if (failure_) std::rethrow_exception(failure_);
    throw Error(ErrorCode::plugin, "the plugin reported a host failure that did not happen");
  }

 private:
  std::exception_ptr failure_;
};

class MapHost : public HostSide {
 public:
  MapHost(const MapRequest& request, const plugin::TaskInfo& task, Monitor monitor)
      : request_(request),
        monitor_(std::move(monitor)),
        reader_(request.ranges, task.records, task.line_numbers, record_bytes_max) {
    if (task.kind == plugin::TaskKind::map) {
      part_.emplace(request.output, PartFormat::text, request.lasting);
    } else {
      run_.emplace(request.output);
      result_.partition_records.resize(request.partitions);
    }
  }

  muster_map_host callbacks() {
    muster_map_host host{};
    host.struct_size = sizeof host;
    host.partitions = request_.partitions;
    host.memory_bytes = request_.memory_bytes;
    // The boundary is C: a counter that is written with plain stores. The atomic has no lock and
    // the same layout, and a torn value could only misname a place in an error message.
    static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
                  sizeof(std::atomic<std::uint64_t>) == sizeof(std::uint64_t));
    host.position = reinterpret_cast<volatile std::uint64_t*>(&monitor_.position);
    host.context = this;
    host.next_block = [](void* context, muster_block* block) {
      auto& self = *static_cast<MapHost*>(context);
      return self.guarded([&] { return self.next_block(*block); });
    };
    host.write = [](void* context, std::uint32_t partition, muster_bytes bytes,
                    std::uint64_t records) {
      auto& self = *static_cast<MapHost*>(context);
      return self.guarded([&] { return self.write(partition, bytes, records); });
    };
    host.write_output = [](void* context, muster_bytes text, std::uint64_t records) {
      auto& self = *static_cast<MapHost*>(context);
      return self.guarded([&] { return self.write_output(text, records); });
    };
    return host;
  }

  MapResult finish(const muster_counts& counts) {
    report_progress();
    if (counts.records_out != records_) {
      throw Error(ErrorCode::plugin,
                  fmt::format("the plugin says that it wrote {} records, and wrote {}",
                              counts.records_out, records_));
    }
    result_.records_in = counts.records_in;
    if (part_) {
      result_.part = part_->finish();
    } else {
      run_->finish();
      result_.run_bytes = run_->bytes();
    }
    return result_;
  }

 private:
  int next_block(muster_block& out) {
    report_progress();
    const auto block = reader_.next();
    if (!block) return 0;
    monitor_.position.store(block->position, std::memory_order_relaxed);
    out.data = block->bytes.data();
    out.size = block->bytes.size();
    out.file = {block->range->name.data(), block->range->name.size()};
    out.offset = block->offset;
    out.position = block->position;
    out.first_line = block->first_line;
    return 1;
  }

  int write(std::uint32_t partition, muster_bytes bytes, std::uint64_t records) {
    if (!run_ || partition >= request_.partitions) {
      throw Error(ErrorCode::plugin, fmt::format("the plugin wrote to partition {} of {}",
                                                 partition, request_.partitions));
    }
    run_->write(partition, {bytes.data, bytes.size}, records);
    result_.partition_records[partition] += records;
    records_ += records;
    return 0;
  }

  int write_output(muster_bytes text, std::uint64_t records) {
    if (!part_) throw Error(ErrorCode::plugin, "a map-reduce task wrote output lines in its map");
    part_->write({text.data, text.size}, nullptr, records);
    records_ += records;
    return 0;
  }

  void report_progress() {
    monitor_.add_progress(reader_.bytes_read() - reported_);
    reported_ = reader_.bytes_read();
  }

  const MapRequest& request_;
  Monitor monitor_;
  BlockReader reader_;
  std::uint64_t reported_ = 0;
  std::uint64_t records_ = 0;  // written so far
  std::optional<RunWriter> run_;
  std::optional<PartWriter> part_;
  MapResult result_;
};

/// Run files of this machine, in the order of the request.
class LocalRuns final : public PartitionSource {
 public:
  explicit LocalRuns(const ReduceRequest& request) : request_(request) {}

  std::optional<std::string_view> next() override {
    for (;;) {
      if (!run_) {
        if (next_run_ == request_.runs.size()) return std::nullopt;
        run_.emplace(request_.runs[next_run_++], request_.partition);
        records_ += run_->records();
      }
      if (const auto block = run_->next()) return block;
      run_.reset();
    }
  }
  std::uint64_t records() const override { return records_; }

 private:
  const ReduceRequest& request_;
  std::size_t next_run_ = 0;
  std::optional<RunReader> run_;
  std::uint64_t records_ = 0;
};

class ReduceHost : public HostSide {
 public:
  ReduceHost(const ReduceRequest& request, Monitor monitor, PartitionSource& source)
      : request_(request),
        monitor_(std::move(monitor)),
        source_(source),
        part_(request.output, request.format, request.lasting) {}

  muster_reduce_host callbacks() {
    muster_reduce_host host{};
    host.struct_size = sizeof host;
    host.partition = request_.partition;
    host.memory_bytes = request_.memory_bytes;
    host.context = this;
    host.next_block = [](void* context, muster_bytes* bytes) {
      auto& self = *static_cast<ReduceHost*>(context);
      return self.guarded([&] { return self.next_block(*bytes); });
    };
    host.write_output = [](void* context, muster_bytes text, const muster_line_extent* lines,
                           std::uint64_t count) {
      auto& self = *static_cast<ReduceHost*>(context);
      return self.guarded([&] {
        self.part_.write({text.data, text.size}, lines, count);
        return 0;
      });
    };
    return host;
  }

  ReduceResult finish(const muster_counts& counts) {
    if (counts.records_in != source_.records()) {
      throw Error(ErrorCode::corrupt, fmt::format("{} records were stored, {} were reduced",
                                                  source_.records(), counts.records_in));
    }
    return {counts.records_in, part_.finish()};
  }

 private:
  int next_block(muster_bytes& out) {
    const auto block = source_.next();
    if (!block) return 0;
    monitor_.add_progress(block->size());
    out = {block->data(), block->size()};
    return 1;
  }

  const ReduceRequest& request_;
  Monitor monitor_;
  PartitionSource& source_;
  PartWriter part_;
};

}  // namespace

MapResult run_map(const MapRequest& request, const Monitor& monitor) {
  plugin::TaskInstance& instance = instances().get(request.task);
  const plugin::TaskInfo& info =
      *plugin::LoadedPlugin::load(request.task.plugin).info().find(request.task.task);
  MapHost host(request, info, monitor);
  const muster_map_host callbacks = host.callbacks();
  muster_counts counts{};
  try {
    host.run([&] { return instance.map(callbacks, counts); });
  } catch (const Error& error) {
    if (error.code() != ErrorCode::task) throw;
    const std::string place = describe_position(request.ranges, monitor.position.load());
    throw Error(ErrorCode::task, fmt::format("{} (at {})", error.what(), place), error.hint());
  }
  return host.finish(counts);
}

ReduceResult run_reduce(const ReduceRequest& request, const Monitor& monitor) {
  LocalRuns source(request);
  return run_reduce(request, monitor, source);
}

ReduceResult run_reduce(const ReduceRequest& request, const Monitor& monitor,
                        PartitionSource& source) {
  plugin::TaskInstance& instance = instances().get(request.task);
  ReduceHost host(request, monitor, source);
  const muster_reduce_host callbacks = host.callbacks();
  muster_counts counts{};
  host.run([&] { return instance.reduce(callbacks, counts); });
  return host.finish(counts);
}

}  // namespace muster::mapreduce
