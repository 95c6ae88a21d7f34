#include <cerrno>
#include <map>

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/base/suggest.hpp>
#include <muster/plugin/descriptor_check.hpp>
#include <muster/plugin/loader.hpp>

namespace muster::plugin {
namespace {

// The differences between what the plugin was built for and what this host offers.
std::vector<std::string> mismatches(const muster_plugin_descriptor& descriptor) {
  std::vector<std::string> found;
  const auto compare = [&](const char* what, std::uint32_t theirs, std::uint32_t ours) {
    if (theirs != ours) found.push_back(fmt::format("{}: plugin {}, host {}", what, theirs, ours));
  };
  compare("ABI version", descriptor.abi_version, MUSTER_ABI_VERSION);
  // Fields after the first three mean something only within one version.
  if (!found.empty()) return found;
  compare("descriptor size", descriptor.struct_size, sizeof(muster_plugin_descriptor));
  compare("task size", descriptor.task_struct_size, sizeof(muster_task));
  return found;
}

const muster_plugin_descriptor& open_plugin(const std::filesystem::path& path) {
  ::dlerror();
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    throw Error(ErrorCode::plugin, fmt::format("'{}' cannot be loaded: {}", path.string(),
                                               why != nullptr ? why : "no reason given"));
  }
  void* symbol = ::dlsym(handle, MUSTER_ENTRY_SYMBOL);
  if (symbol == nullptr) {
    throw Error(ErrorCode::plugin,
                fmt::format("'{}' is not a Muster plugin: it does not export {}()", path.string(),
                            MUSTER_ENTRY_SYMBOL),
                "a plugin includes <muster/plugin.hpp> and uses MUSTER_PLUGIN; see "
                "'muster plugin new'");
  }
  const auto entry = reinterpret_cast<muster_plugin_entry_function>(symbol);
  const muster_plugin_descriptor* descriptor = entry();
  if (descriptor == nullptr || descriptor->magic != MUSTER_ABI_MAGIC) {
    throw Error(ErrorCode::plugin,
                fmt::format("'{}' is not a Muster plugin: its descriptor is missing or damaged",
                            path.string()));
  }
  const auto found = mismatches(*descriptor);
  if (!found.empty()) {
    throw Error(ErrorCode::plugin,
                fmt::format("plugin '{}' does not fit this Muster: {}", path.string(),
                            fmt::join(found, "; ")),
                "rebuild the plugin against the installed <muster/plugin.hpp>");
  }
  const std::string defect = defect_of(*descriptor);
  if (!defect.empty()) {
    throw Error(ErrorCode::plugin,
                fmt::format("plugin '{}' describes itself wrongly: {}", path.string(), defect),
                "register its tasks through MUSTER_PLUGIN");
  }
  return *descriptor;
}

std::string text(const char* given) { return given == nullptr ? std::string() : given; }

TaskInfo describe(const muster_task& task) {
  TaskInfo info;
  info.name = text(task.name);
  info.summary = text(task.summary);
  info.kind = static_cast<TaskKind>(task.kind);
  info.records = static_cast<RecordFormat>(task.records);
  info.line_numbers = (task.flags & MUSTER_TASK_LINE_NUMBERS) != 0;
  for (std::uint64_t i = 0; i < task.parameter_count; ++i) {
    const muster_parameter& each = task.parameters[i];
    info.parameters.push_back(
        {text(each.name), text(each.default_value), text(each.choices), text(each.help)});
  }
  return info;
}

// Collects what a task reports through the C boundary.
struct Report {
  bool made = false;
  std::uint32_t kind = MUSTER_FAILURE_TASK;
  std::string type;
  std::string message;
  std::string hint;

  static void receive(void* context, std::uint32_t kind, muster_bytes type, muster_bytes message,
                      muster_bytes hint) {
    auto& report = *static_cast<Report*>(context);
    report = {true, kind, std::string(type.data, type.size),
              std::string(message.data, message.size), std::string(hint.data, hint.size)};
  }

  Error error(const char* task) const {
    switch (kind) {
      case MUSTER_FAILURE_USAGE:
        return Error(ErrorCode::usage, message, hint);
      case MUSTER_FAILURE_LIMIT:
        return Error(ErrorCode::limit, message, hint);
      case MUSTER_FAILURE_MEMORY:
        return Error(ErrorCode::out_of_memory, fmt::format("task '{}' ran out of memory", task),
                     hint);
      default:
        break;
    }
    return Error(ErrorCode::task, fmt::format("task '{}' threw {}: {}", task, type, message), hint);
  }
};

bool finish(int status, const Report& report, const char* task) {
  if (status == MUSTER_OK) return true;
  if (status == MUSTER_HOST_FAILED) return false;
  if (report.made) throw report.error(task);
  throw Error(ErrorCode::task, fmt::format("task '{}' failed and did not say why", task));
}

}  // namespace

LoadedPlugin::LoadedPlugin(const muster_plugin_descriptor& descriptor) : descriptor_(&descriptor) {
  info_.name = text(descriptor.name);
  info_.version = text(descriptor.version);
  info_.sdk_version = text(descriptor.sdk_version);
  info_.compiler = text(descriptor.compiler);
  info_.abi_version = descriptor.abi_version;
  for (std::uint64_t i = 0; i < descriptor.task_count; ++i) {
    info_.tasks.push_back(describe(descriptor.tasks[i]));
  }
}

const LoadedPlugin& LoadedPlugin::load(const std::filesystem::path& path) {
  static std::map<std::filesystem::path, LoadedPlugin> loaded;
  const auto at = loaded.find(path);
  if (at != loaded.end()) return at->second;
  check_trusted(path);
  return loaded.emplace(path, LoadedPlugin(open_plugin(path))).first->second;
}

const muster_task& LoadedPlugin::task(std::string_view name) const {
  for (std::uint64_t i = 0; i < descriptor_->task_count; ++i) {
    if (name == descriptor_->tasks[i].name) return descriptor_->tasks[i];
  }
  std::vector<std::string> names;
  for (const TaskInfo& each : info_.tasks) names.push_back(each.name);
  throw Error(ErrorCode::usage, fmt::format("plugin '{}' has no task '{}'", info_.name, name),
              fmt::format("its tasks are: {}", fmt::join(names, ", ")));
}

void check_trusted(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    const int errnum = errno;
    if (errnum == ENOENT || errnum == ENOTDIR) {
      throw Error(ErrorCode::usage, fmt::format("plugin '{}' not found", path.string()));
    }
    throw system_error(errnum, fmt::format("cannot read plugin '{}'", path.string()));
  }
  if (!S_ISREG(info.st_mode)) {
    throw Error(ErrorCode::usage, fmt::format("plugin '{}' is not a file", path.string()));
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    throw Error(ErrorCode::plugin,
                fmt::format("refusing to load '{}': it belongs to user {}, not to you or root",
                            path.string(), info.st_uid),
                "copy it, so that the copy is yours");
  }
  const bool private_group = info.st_gid == info.st_uid;
  const bool loose =
      (info.st_mode & S_IWOTH) != 0 || ((info.st_mode & S_IWGRP) != 0 && !private_group);
  if (loose) {
    throw Error(ErrorCode::plugin,
                fmt::format("refusing to load '{}': others may write to it", path.string()),
                fmt::format("chmod go-w '{}'", path.string()));
  }
}

TaskInstance::TaskInstance(const muster_task& task, const std::vector<Setting>& settings)
    : task_(task) {
  std::vector<muster_setting> raw;
  raw.reserve(settings.size());
  for (const Setting& each : settings) {
    raw.push_back({{each.name.data(), each.name.size()}, {each.value.data(), each.value.size()}});
  }
  Report report;
  const muster_failure failure{&report, &Report::receive};
  instance_ = task_.create(raw.data(), raw.size(), &failure);
  if (instance_ == nullptr) finish(MUSTER_TASK_FAILED, report, task_.name);
}

TaskInstance::~TaskInstance() { task_.destroy(instance_); }

bool TaskInstance::map(const muster_map_host& host, muster_counts& counts) {
  Report report;
  const muster_failure failure{&report, &Report::receive};
  return finish(task_.map(instance_, &host, &counts, &failure), report, task_.name);
}

bool TaskInstance::reduce(const muster_reduce_host& host, muster_counts& counts) {
  Report report;
  const muster_failure failure{&report, &Report::receive};
  return finish(task_.reduce(instance_, &host, &counts, &failure), report, task_.name);
}

}  // namespace muster::plugin
