#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include <muster/plugin/abi.h>
#include <muster/sdk/task_traits.hpp>

namespace muster::sdk {

/// Calls visit(Record) for each line of a block, and keeps the host told where it is.
template <class Visit>
void for_each_record(const muster_block& block, volatile std::uint64_t& position, Visit&& visit) {
  Record record;
  record.file = {block.file.data, block.file.size};
  record.line = block.first_line;
  const char* at = block.data;
  const char* const end = at + block.size;
  while (at != end) {
    const auto* newline =
        static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
    const char* stop = newline != nullptr ? newline : end;
    record.text = {at, static_cast<std::size_t>(stop - at)};
    const auto within = static_cast<std::uint64_t>(at - block.data);
    record.offset = block.offset + within;
    position = block.position + within;
    visit(static_cast<const Record&>(record));
    if (record.line != 0) ++record.line;
    at = newline != nullptr ? newline + 1 : end;
  }
}

/// Runs a task's map over every block of a chunk; `block_done` is called after each block.
template <class Task, class Out, class BlockDone>
void map_blocks(const Task& task, const muster_map_host& host, Out& out, BlockDone&& block_done) {
  static_assert(MapsBlocks<Task, Out> || MapsRecords<Task, Out> || MapsLines<Task, Out>,
                "a task needs map(std::string_view line, out), map(const muster::Record&, out) or "
                "map_block(std::string_view block, out)");
  static_assert(records_of<Task>() == Records::lines || MapsBlocks<Task, Out>,
                "records other than lines need map_block");
  for (;;) {
    muster_block block{};
    const int got = host.next_block(host.context, &block);
    if (got < 0) throw HostFailed{};
    if (got == 0) return;
    if constexpr (MapsBlocks<Task, Out>) {
      task.map_block(std::string_view(block.data, block.size), out);
    } else {
      for_each_record(block, *host.position, [&](const Record& record) {
        if constexpr (MapsRecords<Task, Out>) {
          task.map(record, out);
        } else {
          task.map(record.text, out);
        }
      });
    }
    block_done();
  }
}

}  // namespace muster::sdk
