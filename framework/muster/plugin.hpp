#pragma once

/// What a plugin author includes. Headers alone: a plugin links nothing of Muster's.
///
///   struct WordCount {
///     using Key = std::string;
///     using Value = std::uint64_t;
///     static void map(std::string_view line, muster::Emitter<WordCount>& out) {
///       for (auto word : muster::words(line)) out.emit(word, 1);
///     }
///     static Value combine(Value a, Value b) { return a + b; }
///   };
///   MUSTER_PLUGIN(wordcount, "1.0.0", tasks) { tasks.add_map_reduce<WordCount>("wordcount"); }

#include <muster/sdk/emitter.hpp>
#include <muster/sdk/output.hpp>
#include <muster/sdk/parameters.hpp>
#include <muster/sdk/registry.hpp>
#include <muster/sdk/task_traits.hpp>
#include <muster/sdk/words.hpp>
