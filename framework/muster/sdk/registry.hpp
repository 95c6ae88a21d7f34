#pragma once

#include <deque>
#include <memory>
#include <new>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include <cxxabi.h>

#include <muster/base/error.hpp>
#include <muster/base/version.hpp>
#include <muster/plugin/abi.h>
#include <muster/sdk/emitter.hpp>
#include <muster/sdk/map_loop.hpp>
#include <muster/sdk/output.hpp>
#include <muster/sdk/reduce_loop.hpp>
#include <muster/sdk/task_traits.hpp>

namespace muster {
namespace sdk {

inline void report(const muster_failure& failure, std::uint32_t kind, std::string_view type,
                   std::string_view message, std::string_view hint = {}) {
  failure.report(failure.context, kind, {type.data(), type.size()},
                 {message.data(), message.size()}, {hint.data(), hint.size()});
}

inline std::string demangled(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return name ? name.get() : type.name();
}

/// Runs a call into the task; no exception leaves it.
template <class Body>
int guarded(const muster_failure& failure, Body&& body) noexcept {
  try {
    body();
    return MUSTER_OK;
  } catch (const HostFailed&) {
    return MUSTER_HOST_FAILED;
  } catch (const std::bad_alloc&) {
    report(failure, MUSTER_FAILURE_MEMORY, "std::bad_alloc", "out of memory");
  } catch (const Error& error) {
    const std::uint32_t kind = error.code() == ErrorCode::usage   ? MUSTER_FAILURE_USAGE
                               : error.code() == ErrorCode::limit ? MUSTER_FAILURE_LIMIT
                                                                  : MUSTER_FAILURE_TASK;
    report(failure, kind, "muster::Error", error.what(), error.hint());
  } catch (const std::exception& error) {
    report(failure, MUSTER_FAILURE_TASK, demangled(typeid(error)), error.what());
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    report(failure, MUSTER_FAILURE_TASK, type != nullptr ? demangled(*type) : "something",
           "not derived from std::exception");
  }
  return MUSTER_TASK_FAILED;
}

template <class Task>
struct MapReduceInstance {
  explicit MapReduceInstance(const Parameters& parameters)
      : task(make_task<Task>(parameters)), emitter(task) {}
  MapReduceInstance(const MapReduceInstance&) = delete;

  muster_counts map(const muster_map_host& host) {
    emitter.begin(host);
    map_blocks(task, host, emitter, [&] { emitter.block_done(host); });
    return emitter.finish();
  }
  muster_counts reduce(const muster_reduce_host& host) {
    if constexpr (HasReduce<Task>) {
      return reduce_grouped(task, host);
    } else {
      return reduce_combining(task, host);
    }
  }

  Task task;
  Emitter<Task> emitter;
};

template <class Task>
struct MapInstance {
  explicit MapInstance(const Parameters& parameters) : task(make_task<Task>(parameters)) {}
  MapInstance(const MapInstance&) = delete;

  muster_counts map(const muster_map_host& host) {
    Output output(host);
    map_blocks(task, host, output, [] {});
    output.flush();
    return {output.written(), output.written()};
  }

  Task task;
};

/// The C functions of one kind of instance.
template <class Instance>
struct Trampoline {
  static void* create(const muster_setting* settings, std::uint64_t count,
                      const muster_failure* failure) {
    void* made = nullptr;
    guarded(*failure, [&] {
      std::map<std::string, std::string, std::less<>> values;
      for (std::uint64_t i = 0; i < count; ++i) {
        values.emplace(std::string(settings[i].name.data, settings[i].name.size),
                       std::string(settings[i].value.data, settings[i].value.size));
      }
      made = new Instance(Parameters(std::move(values)));
    });
    return made;
  }
  static void destroy(void* instance) { delete static_cast<Instance*>(instance); }
  static int map(void* instance, const muster_map_host* host, muster_counts* counts,
                 const muster_failure* failure) {
    return guarded(*failure, [&] { *counts = static_cast<Instance*>(instance)->map(*host); });
  }
  static int reduce(void* instance, const muster_reduce_host* host, muster_counts* counts,
                    const muster_failure* failure) {
    return guarded(*failure, [&] { *counts = static_cast<Instance*>(instance)->reduce(*host); });
  }
};

}  // namespace sdk

/// A parameter of a task. All texts are string literals.
struct Parameter {
  const char* name;                ///< as in --set NAME=VALUE
  const char* default_value = "";  ///< what it is when it is not set
  const char* choices = "";        ///< "a|b|c", or empty for any text
  const char* help = "";           ///< what it does, in a few words
};

/// Receives the tasks of a plugin, inside MUSTER_PLUGIN. All texts are string literals: they are
/// kept by pointer for as long as the plugin is loaded.
class TaskRegistry {
 public:
  /// Describes one task further; every call returns the same description.
  class Description {
   public:
    /// What the task does, in a few words, for `muster plugin list`.
    Description& summary(const char* text) {
      task_.summary = text;
      return *this;
    }
    /// One more parameter that users may set, in the order in which they are listed.
    Description& parameter(Parameter parameter) {
      parameters_.push_back(
          {parameter.name, parameter.default_value, parameter.choices, parameter.help});
      return *this;
    }

   private:
    friend class TaskRegistry;
    muster_task task_{};
    std::vector<muster_parameter> parameters_;
  };

  /// A task with Key, Value, a map that emits, and `combine(Value, Value)` (associative and
  /// commutative) or `reduce(const Key&, std::span<Value>)`.
  template <class Task>
  Description& add_map_reduce(const char* name) {
    static_assert(sdk::HasCombine<Task> || sdk::HasReduce<Task>,
                  "a map-reduce task needs combine(Value, Value) or reduce(const Key&, "
                  "std::span<Value>)");
    using Functions = sdk::Trampoline<sdk::MapReduceInstance<Task>>;
    Description& made = add<Task, Functions>(name, MUSTER_TASK_MAP_REDUCE);
    made.task_.reduce = &Functions::reduce;
    return made;
  }

  /// A task whose map writes result lines itself, to a muster::Output, in input order.
  template <class Task>
  Description& add_map(const char* name) {
    return add<Task, sdk::Trampoline<sdk::MapInstance<Task>>>(name, MUSTER_TASK_MAP);
  }

  /// The tasks as the boundary has them. The registry must outlive the result.
  std::vector<muster_task> tasks() {
    std::vector<muster_task> out;
    for (Description& each : descriptions_) {
      each.task_.parameters = each.parameters_.data();
      each.task_.parameter_count = each.parameters_.size();
      out.push_back(each.task_);
    }
    return out;
  }

 private:
  template <class Task, class Functions>
  Description& add(const char* name, std::uint32_t kind) {
    Description& made = descriptions_.emplace_back();
    made.task_.struct_size = sizeof(muster_task);
    made.task_.kind = kind;
    made.task_.records = static_cast<std::uint32_t>(sdk::records_of<Task>());
    made.task_.flags = sdk::wants_line_numbers<Task>() ? MUSTER_TASK_LINE_NUMBERS : 0U;
    made.task_.name = name;
    made.task_.summary = "";
    made.task_.create = &Functions::create;
    made.task_.destroy = &Functions::destroy;
    made.task_.map = &Functions::map;
    return made;
  }

  std::deque<Description> descriptions_;
};

namespace sdk {

/// A plugin's descriptor with everything it points to. One a plugin, made at the first call of
/// the entry point.
class PluginDescriptor {
 public:
  PluginDescriptor(const char* name, const char* version, void (*add_tasks)(TaskRegistry&)) {
    add_tasks(registry_);
    tasks_ = registry_.tasks();
    raw_ = {MUSTER_ABI_MAGIC,
            MUSTER_ABI_VERSION,
            sizeof(muster_plugin_descriptor),
            sizeof(muster_task),
            name,
            version,
            version_text,
            compiler_text(),
            tasks_.size(),
            tasks_.data()};
  }
  PluginDescriptor(const PluginDescriptor&) = delete;
  PluginDescriptor& operator=(const PluginDescriptor&) = delete;

  const muster_plugin_descriptor* raw() const noexcept { return &raw_; }

 private:
  static const char* compiler_text() {
#if defined(__clang__)
    return "Clang " __clang_version__;
#else
    return "GCC " __VERSION__;
#endif
  }

  TaskRegistry registry_;
  std::vector<muster_task> tasks_;
  muster_plugin_descriptor raw_{};
};

}  // namespace sdk
}  // namespace muster

/// Defines a plugin: its name (an identifier, by custom the file's), its version, and a body that
/// adds the tasks to the registry named third. Once per shared object.
#define MUSTER_PLUGIN(plugin_name, plugin_version, registry)                              \
  static void muster_add_tasks(::muster::TaskRegistry& registry);                         \
  extern "C" __attribute__((visibility("default"))) const muster_plugin_descriptor*       \
  muster_plugin_entry() noexcept {                                                        \
    static const ::muster::sdk::PluginDescriptor descriptor(#plugin_name, plugin_version, \
                                                            &muster_add_tasks);           \
    return descriptor.raw();                                                              \
  }                                                                                       \
  static void muster_add_tasks(::muster::TaskRegistry& registry)
