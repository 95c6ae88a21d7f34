#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <muster/base/error.hpp>
#include <muster/base/suggest.hpp>
#include <muster/plugin/plugin_info.hpp>

namespace muster::plugin {
namespace {

bool is_choice(const ParameterInfo& parameter, std::string_view value) {
  if (parameter.choices.empty()) return true;
  std::string_view rest = parameter.choices;
  for (;;) {
    const auto bar = rest.find('|');
    if (rest.substr(0, bar) == value) return true;
    if (bar == std::string_view::npos) return false;
    rest.remove_prefix(bar + 1);
  }
}

Error unknown_parameter(const TaskInfo& task, const std::string& name) {
  std::vector<std::string> known;
  for (const ParameterInfo& each : task.parameters) known.push_back(each.name);
  const std::string message = fmt::format("task '{}' has no parameter '{}'", task.name, name);
  if (known.empty()) return Error(ErrorCode::usage, message, "it has no parameters");
  const auto near = closest(name, known);
  return Error(ErrorCode::usage, message,
               fmt::format("{}its parameters are: {}",
                           near ? fmt::format("did you mean '{}'? ", *near) : std::string(),
                           fmt::join(known, ", ")));
}

}  // namespace

const TaskInfo* PluginInfo::find(std::string_view task) const {
  const auto at = std::find_if(tasks.begin(), tasks.end(),
                               [&](const TaskInfo& each) { return each.name == task; });
  return at == tasks.end() ? nullptr : &*at;
}

Bytes encode(const PluginInfo& info) {
  Bytes out;
  ByteWriter write(out);
  for (const std::string* text : {&info.name, &info.version, &info.sdk_version, &info.compiler}) {
    write.string(*text);
  }
  write.fixed(info.abi_version);
  write.varint(info.tasks.size());
  for (const TaskInfo& task : info.tasks) {
    write.string(task.name);
    write.string(task.summary);
    write.fixed(task.kind);
    write.fixed(task.records);
    write.fixed(task.line_numbers);
    write.varint(task.parameters.size());
    for (const ParameterInfo& each : task.parameters) {
      for (const std::string* text : {&each.name, &each.default_value, &each.choices, &each.help}) {
        write.string(*text);
      }
    }
  }
  return out;
}

PluginInfo decode_plugin_info(std::string_view bytes) {
  ByteReader read(bytes, "plugin description");
  PluginInfo info;
  for (std::string* text : {&info.name, &info.version, &info.sdk_version, &info.compiler}) {
    *text = read.string();
  }
  info.abi_version = read.fixed<std::uint32_t>();
  for (std::uint64_t tasks = read.varint(); tasks > 0; --tasks) {
    TaskInfo& task = info.tasks.emplace_back();
    task.name = read.string();
    task.summary = read.string();
    task.kind = read.fixed<TaskKind>();
    task.records = read.fixed<RecordFormat>();
    task.line_numbers = read.fixed<bool>();
    for (std::uint64_t count = read.varint(); count > 0; --count) {
      ParameterInfo& each = task.parameters.emplace_back();
      for (std::string* text : {&each.name, &each.default_value, &each.choices, &each.help}) {
        *text = read.string();
      }
    }
  }
  read.finish();
  return info;
}

std::vector<Setting> resolve_settings(const TaskInfo& task, const std::vector<Setting>& given) {
  std::vector<Setting> resolved;
  for (const ParameterInfo& each : task.parameters) {
    resolved.push_back({each.name, each.default_value});
  }
  std::vector<std::string> seen;
  for (const Setting& setting : given) {
    const auto at = std::find_if(resolved.begin(), resolved.end(),
                                 [&](const Setting& each) { return each.name == setting.name; });
    if (at == resolved.end()) throw unknown_parameter(task, setting.name);
    if (std::find(seen.begin(), seen.end(), setting.name) != seen.end()) {
      throw Error(ErrorCode::usage, fmt::format("parameter '{}' is set twice", setting.name));
    }
    const ParameterInfo& parameter =
        task.parameters[static_cast<std::size_t>(at - resolved.begin())];
    if (!is_choice(parameter, setting.value)) {
      throw Error(ErrorCode::usage,
                  fmt::format("parameter '{}' cannot be '{}'", setting.name, setting.value),
                  "choose one of: " + parameter.choices);
    }
    at->value = setting.value;
    seen.push_back(setting.name);
  }
  return resolved;
}

}  // namespace muster::plugin
