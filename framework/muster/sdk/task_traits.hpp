#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

#include <muster/codec/codec.hpp>
#include <muster/sdk/parameters.hpp>

namespace muster {

/// How input is cut: a record never straddles two blocks or two chunks.
enum class Records : std::uint32_t {
  lines = 1,  ///< ended by '\n'
  words = 2,  ///< ended by ASCII white space; for tasks that do not care about lines
};

/// One line of input with its place.
struct Record {
  std::string_view text;     ///< without its '\n'; valid during the call
  std::string_view file;     ///< as the user named it
  std::uint64_t line = 0;    ///< from 1; 0 unless the task declares `line_numbers = true`
  std::uint64_t offset = 0;  ///< of the line in the file, in bytes
};

template <class Task>
class Emitter;
class Output;

namespace sdk {

template <class Task>
concept HasCombine = requires(const Task& task, typename Task::Value value) {
  { task.combine(value, value) } -> std::convertible_to<typename Task::Value>;
};

template <class Task>
concept HasReduce = requires(const Task& task, const typename Task::Key& key,
                             std::span<typename Task::Value> values) {
  task.reduce(key, values);
};

template <class Task, class Out>
concept MapsBlocks = requires(const Task& task, std::string_view block, Out& out) {
  task.map_block(block, out);
};
template <class Task, class Out>
concept MapsRecords = requires(const Task& task, const Record& record, Out& out) {
  task.map(record, out);
};
template <class Task, class Out>
concept MapsLines = requires(const Task& task, std::string_view line, Out& out) {
  task.map(line, out);
};

template <class Task>
consteval Records records_of() {
  if constexpr (requires { Task::records; }) {
    return Task::records;
  } else {
    return Records::lines;
  }
}

template <class Task>
consteval bool wants_line_numbers() {
  if constexpr (requires { Task::line_numbers; }) {
    return Task::line_numbers;
  } else {
    return false;
  }
}

template <class Task>
Task make_task(const Parameters& parameters) {
  if constexpr (std::constructible_from<Task, const Parameters&>) {
    return Task(parameters);
  } else {
    static_assert(std::default_initializable<Task>,
                  "a task is constructible from const muster::Parameters&, or from nothing");
    return Task();
  }
}

/// Thrown to leave the task's frames when a host callback failed; the host knows why.
struct HostFailed {};

}  // namespace sdk
}  // namespace muster
