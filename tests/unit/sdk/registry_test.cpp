#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <muster/plugin.hpp>

#include "unit/sdk/host.hpp"

namespace muster::sdk {
namespace {

struct Custom : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws what the line or the setting says.
struct Thrower {
  using Key = std::string;
  using Value = std::uint64_t;

  Thrower() = default;
  explicit Thrower(const Parameters& parameters) { act(parameters.get("what")); }
  static void act(std::string_view what) {
    if (what == "runtime") throw std::runtime_error("the reason");
    if (what == "custom") throw Custom("of one's own");
    if (what == "int") throw 42;
    if (what == "string") throw std::string("text");
    if (what == "alloc") throw std::bad_alloc();
    if (what == "usage") throw Error(ErrorCode::usage, "bad use", "do better");
    if (what == "limit") throw Error(ErrorCode::limit, "too much", "take less");
    if (what == "io") throw Error(ErrorCode::io, "broken disk", "buy one");
    if (what == "setting") throw bad_setting("what", what, "no good");
  }
  static void map(std::string_view line, Emitter<Thrower>& out) {
    act(line);
    out.emit(line, 1);
  }
  static Value combine(Value a, Value b) { return a + b; }
};

using Functions = Trampoline<MapReduceInstance<Thrower>>;

void* make(const std::string& what, Report& report) {
  const muster_failure failure = report.failure();
  const muster_setting setting{{"what", 4}, {what.data(), what.size()}};
  return Functions::create(&setting, 1, &failure);
}

struct Expected {
  const char* what;
  std::uint32_t kind;
  const char* type;
  const char* message;
  const char* hint;
};
constexpr Expected table[] = {
    {"runtime", MUSTER_FAILURE_TASK, "std::runtime_error", "the reason", ""},
    {"custom", MUSTER_FAILURE_TASK, "muster::sdk::(anonymous namespace)::Custom", "of one's own",
     ""},
    {"int", MUSTER_FAILURE_TASK, "int", "not derived from std::exception", ""},
    {"alloc", MUSTER_FAILURE_MEMORY, "std::bad_alloc", "out of memory", ""},
    {"usage", MUSTER_FAILURE_USAGE, "muster::Error", "bad use", "do better"},
    {"limit", MUSTER_FAILURE_LIMIT, "muster::Error", "too much", "take less"},
    {"io", MUSTER_FAILURE_TASK, "muster::Error", "broken disk", "buy one"},
};

void expect(const Report& report, const Expected& expected) {
  EXPECT_EQ(report.made, 1) << expected.what;
  EXPECT_EQ(report.kind, expected.kind) << expected.what;
  EXPECT_EQ(report.type, expected.type);
  EXPECT_EQ(report.message, expected.message);
  EXPECT_EQ(report.hint, expected.hint);
}

TEST(Trampoline, reports_what_a_map_throws) {
  for (const Expected& each : table) {
    Report report;
    const muster_failure failure = report.failure();
    void* instance = make("", report);
    ASSERT_NE(instance, nullptr);
    MapHost host({std::string("fine\n") + each.what + "\nnever\n"});
    muster_counts counts{};
    EXPECT_EQ(Functions::map(instance, &host.raw(), &counts, &failure), MUSTER_TASK_FAILED);
    expect(report, each);
    EXPECT_EQ(host.writes, 0);
    Functions::destroy(instance);
  }
}

TEST(Trampoline, reports_what_a_constructor_throws) {
  for (const Expected& each : table) {
    Report report;
    EXPECT_EQ(make(each.what, report), nullptr);
    expect(report, each);
  }
  Report report;
  EXPECT_EQ(make("setting", report), nullptr);
  EXPECT_EQ(report.kind, static_cast<std::uint32_t>(MUSTER_FAILURE_USAGE));
  EXPECT_EQ(report.message, "parameter 'what' cannot be 'setting': no good");
}

TEST(Trampoline, names_types_that_are_no_exceptions) {
  Report report;
  EXPECT_EQ(make("string", report), nullptr);
  EXPECT_NE(report.type.find("basic_string"), std::string::npos) << report.type;
}

TEST(Trampoline, does_not_report_what_the_host_knows_already) {
  for (const bool read : {true, false}) {
    Report report;
    const muster_failure failure = report.failure();
    void* instance = make("", report);
    MapHost host({"a\n"});
    (read ? host.fail_next_block : host.fail_write) = 0;
    muster_counts counts{};
    EXPECT_EQ(Functions::map(instance, &host.raw(), &counts, &failure), MUSTER_HOST_FAILED);
    EXPECT_EQ(report.made, 0);
    Functions::destroy(instance);
  }
  Report report;
  const muster_failure failure = report.failure();
  void* instance = make("", report);
  ReduceHost host({});
  host.fail_next_block = 0;
  muster_counts counts{};
  EXPECT_EQ(Functions::reduce(instance, &host.raw(), &counts, &failure), MUSTER_HOST_FAILED);
  EXPECT_EQ(report.made, 0);
  Functions::destroy(instance);
}

TEST(Trampoline, runs_map_and_reduce_and_gives_the_counts) {
  Report report;
  const muster_failure failure = report.failure();
  void* instance = make("", report);
  MapHost map({"a\nb\na\n"}, 1);
  muster_counts counts{};
  EXPECT_EQ(Functions::map(instance, &map.raw(), &counts, &failure), MUSTER_OK);
  EXPECT_EQ(counts.records_in, 3U);
  EXPECT_EQ(counts.records_out, 2U);
  ReduceHost reduce(map.written[0]);
  EXPECT_EQ(Functions::reduce(instance, &reduce.raw(), &counts, &failure), MUSTER_OK);
  EXPECT_EQ(reduce.output, "a\t2\nb\t1\n");
  EXPECT_EQ(counts.records_in, 2U);
  Functions::destroy(instance);
  EXPECT_EQ(report.made, 0);
}

struct Plain {
  static void map(std::string_view, Output&) {}
};
struct Numbered {
  static constexpr bool line_numbers = true;
  static void map(const Record&, Output&) {}
};
struct Blocks {
  using Key = std::string;
  using Value = std::uint64_t;
  static constexpr auto records = Records::words;
  static void map_block(std::string_view, Emitter<Blocks>&) {}
  static Value combine(Value a, Value b) { return a + b; }
};

void add_all(TaskRegistry& registry) {
  auto& first = registry.add_map_reduce<Blocks>("blocks");
  registry.add_map<Numbered>("numbered").summary("with numbers");
  registry.add_map<Plain>("plain");
  first.summary("added late")
      .parameter({.name = "a"})
      .parameter({.name = "b", .default_value = "x", .choices = "x|y", .help = "help"});
}

TEST(TaskRegistry, describes_tasks_in_order_with_kind_records_and_flags) {
  const PluginDescriptor descriptor("name", "1.2.3", &add_all);
  const muster_plugin_descriptor& raw = *descriptor.raw();
  EXPECT_EQ(raw.magic, MUSTER_ABI_MAGIC);
  EXPECT_EQ(raw.abi_version, MUSTER_ABI_VERSION);
  EXPECT_EQ(raw.struct_size, sizeof(muster_plugin_descriptor));
  EXPECT_EQ(raw.task_struct_size, sizeof(muster_task));
  EXPECT_STREQ(raw.name, "name");
  EXPECT_STREQ(raw.version, "1.2.3");
  EXPECT_STRNE(raw.compiler, "");
  ASSERT_EQ(raw.task_count, 3U);
  const muster_task& blocks = raw.tasks[0];
  EXPECT_STREQ(blocks.name, "blocks");
  EXPECT_STREQ(blocks.summary, "added late");
  EXPECT_EQ(blocks.kind, static_cast<std::uint32_t>(MUSTER_TASK_MAP_REDUCE));
  EXPECT_EQ(blocks.records, static_cast<std::uint32_t>(MUSTER_RECORDS_WORDS));
  EXPECT_EQ(blocks.flags, 0U);
  EXPECT_NE(blocks.reduce, nullptr);
  ASSERT_EQ(blocks.parameter_count, 2U);
  EXPECT_STREQ(blocks.parameters[0].default_value, "");
  EXPECT_STREQ(blocks.parameters[1].choices, "x|y");
  const muster_task& numbered = raw.tasks[1];
  EXPECT_EQ(numbered.kind, static_cast<std::uint32_t>(MUSTER_TASK_MAP));
  EXPECT_EQ(numbered.records, static_cast<std::uint32_t>(MUSTER_RECORDS_LINES));
  EXPECT_EQ(numbered.flags, MUSTER_TASK_LINE_NUMBERS);
  EXPECT_EQ(numbered.reduce, nullptr);
  EXPECT_STREQ(raw.tasks[2].summary, "");
  EXPECT_EQ(raw.tasks[2].flags, 0U);
}

TEST(Parameters, gives_what_was_declared_and_refuses_the_rest) {
  const Parameters parameters({{"a", "1"}, {"b", ""}});
  EXPECT_EQ(parameters.get("a"), "1");
  EXPECT_EQ(parameters.get("b"), "");
  try {
    static_cast<void>(parameters.get("c"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_NE(error.hint(), "");
  }
}

}  // namespace
}  // namespace muster::sdk
