#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/plugin/plugin_info.hpp>

namespace muster::plugin {
namespace {

PluginInfo sample() {
  PluginInfo info{"text", "1.0", "0.9", "GCC 12", 7, {}};
  info.tasks.push_back({"count",
                        "counts words",
                        TaskKind::map_reduce,
                        RecordFormat::words,
                        false,
                        {{"tokens", "space", "space|letters", "what a word is"},
                         {"case", "keep", "keep|lower", ""},
                         {"label", "", "", "any text"}}});
  info.tasks.push_back({"grep", "", TaskKind::map, RecordFormat::lines, true, {}});
  return info;
}

std::string shown(const std::vector<Setting>& settings) {
  std::string out;
  for (const Setting& each : settings) out += each.name + "=" + each.value + ";";
  return out;
}

Error refusal(const TaskInfo& task, const std::vector<Setting>& given) {
  try {
    resolve_settings(task, given);
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::broken, "nothing was thrown");
}

TEST(PluginInfo, round_trips) {
  const PluginInfo back = decode_plugin_info(encode(sample()));
  EXPECT_EQ(encode(back), encode(sample()));
  EXPECT_EQ(back.abi_version, 7U);
  ASSERT_EQ(back.tasks.size(), 2U);
  EXPECT_EQ(back.tasks[0].records, RecordFormat::words);
  EXPECT_EQ(back.tasks[0].parameters.at(1).choices, "keep|lower");
  EXPECT_EQ(back.tasks[1].kind, TaskKind::map);
  EXPECT_TRUE(back.tasks[1].line_numbers);
  EXPECT_EQ(encode(decode_plugin_info(encode(PluginInfo{}))), encode(PluginInfo{}));
}

TEST(PluginInfo, every_prefix_and_every_extension_is_refused) {
  const Bytes whole = encode(sample());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(decode_plugin_info(std::string_view(whole).substr(0, size)), Error) << size;
  }
  EXPECT_THROW(decode_plugin_info(whole + '\0'), Error);
}

TEST(PluginInfo, damaged_bytes_are_decoded_or_refused) {
  const Bytes whole = encode(sample());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0, 1, 2, 0x7f, 0x80, 0xff}) {
      Bytes damaged = whole;
      damaged[at] = static_cast<char>(value);
      try {
        static_cast<void>(encode(decode_plugin_info(damaged)));
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), ErrorCode::corrupt);
      }
    }
  }
}

TEST(PluginInfo, finds_tasks_by_name) {
  const PluginInfo info = sample();
  EXPECT_EQ(info.find("grep"), &info.tasks[1]);
  EXPECT_EQ(info.find("gre"), nullptr);
  EXPECT_EQ(info.find(""), nullptr);
}

TEST(ResolveSettings, fills_in_defaults_in_the_order_of_the_task) {
  const TaskInfo task = sample().tasks[0];
  EXPECT_EQ(shown(resolve_settings(task, {})), "tokens=space;case=keep;label=;");
  EXPECT_EQ(shown(resolve_settings(task, {{"label", "x=y"}, {"tokens", "letters"}})),
            "tokens=letters;case=keep;label=x=y;");
  EXPECT_EQ(shown(resolve_settings(sample().tasks[1], {})), "");
}

TEST(ResolveSettings, refuses_unknown_names_and_suggests) {
  const Error near = refusal(sample().tasks[0], {{"token", "space"}});
  EXPECT_EQ(near.code(), ErrorCode::usage);
  EXPECT_STREQ(near.what(), "task 'count' has no parameter 'token'");
  EXPECT_EQ(near.hint(), "did you mean 'tokens'? its parameters are: tokens, case, label");
  EXPECT_EQ(refusal(sample().tasks[0], {{"zzzzz", ""}}).hint(),
            "its parameters are: tokens, case, label");
  EXPECT_EQ(refusal(sample().tasks[1], {{"x", ""}}).hint(), "it has no parameters");
}

TEST(ResolveSettings, refuses_values_outside_the_choices) {
  for (const char* value : {"spaces", "spac", "", "space|letters", "|", "Space"}) {
    const Error error = refusal(sample().tasks[0], {{"tokens", value}});
    EXPECT_EQ(error.code(), ErrorCode::usage) << value;
    EXPECT_EQ(error.hint(), "choose one of: space|letters");
  }
}

TEST(ResolveSettings, refuses_a_name_given_twice) {
  const Error error =
      refusal(sample().tasks[0], {{"label", "a"}, {"case", "keep"}, {"label", "a"}});
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_STREQ(error.what(), "parameter 'label' is set twice");
}

}  // namespace
}  // namespace muster::plugin
