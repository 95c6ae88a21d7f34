#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/options.hpp>
#include <muster/cli/worker_sandbox.hpp>

namespace muster::cli {
namespace {

namespace po = boost::program_options;
using Texts = std::vector<std::string>;

template <class Body>
Error error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::broken, "nothing was thrown");
}

po::options_description options() {
  po::options_description out;
  auto add = out.add_options();
  add("output,o", po::value<std::string>());
  add("workers,j", po::value<std::string>());
  add("set", po::value<Texts>()->composing());
  add("quiet,q", "");
  add("arguments", po::value<Texts>());
  return out;
}

po::variables_map parse(const Texts& arguments) {
  return parse_options(arguments, options(), "arguments", "muster test");
}

Error refusal(const Texts& arguments) {
  return error_of([&] { parse(arguments); });
}

TEST(ParseOptions, takes_options_and_arguments_in_any_order) {
  const auto values = parse({"one", "-o", "dir", "two", "-q", "--set", "a=1", "-j4", "--set=b=2"});
  EXPECT_EQ(values["arguments"].as<Texts>(), (Texts{"one", "two"}));
  EXPECT_EQ(values["output"].as<std::string>(), "dir");
  EXPECT_EQ(values["workers"].as<std::string>(), "4");
  EXPECT_EQ(values["set"].as<Texts>(), (Texts{"a=1", "b=2"}));
  EXPECT_EQ(values.count("quiet"), 1U);
  EXPECT_TRUE(parse({}).empty());
}

TEST(ParseOptions, takes_a_dash_and_what_follows_two_as_arguments) {
  EXPECT_EQ(parse({"task", "-"})["arguments"].as<Texts>(), (Texts{"task", "-"}));
  EXPECT_EQ(parse({"task", "--", "--quiet", "-x"})["arguments"].as<Texts>(),
            (Texts{"task", "--quiet", "-x"}));
}

TEST(ParseOptions, suggests_what_was_probably_meant) {
  const Error near = refusal({"--ouptut", "x"});
  EXPECT_EQ(near.code(), ErrorCode::usage);
  EXPECT_STREQ(near.what(), "no option '--ouptut'");
  EXPECT_EQ(near.hint(), "did you mean '--output'?");
  const Error far = refusal({"--frobnicate"});
  EXPECT_STREQ(far.what(), "no option '--frobnicate'");
  EXPECT_EQ(far.hint(), "'muster test --help' lists the options");
}

TEST(ParseOptions, never_guesses_from_a_prefix) {
  EXPECT_EQ(refusal({"--out", "x"}).code(), ErrorCode::usage);
}

// "arguments" is a name for inside; it is no option.
TEST(ParseOptions, suggests_no_option_that_does_not_exist) {
  EXPECT_EQ(refusal({"--argument", "x"}).hint().find("--arguments"), std::string::npos);
}

TEST(ParseOptions, refuses_missing_values_repeats_and_unknown_letters) {
  for (const Texts& each : {Texts{"--output"}, Texts{"-o", "a", "-o", "b"}, Texts{"--quiet=yes"},
                            Texts{"-z"}, Texts{"--output="}}) {
    const Error error = refusal(each);
    EXPECT_EQ(error.code(), ErrorCode::usage) << each.front();
    EXPECT_NE(std::string(error.what()), "");
    EXPECT_NE(error.hint(), "");
  }
}

TEST(ParseCount, takes_numbers_from_1_on) {
  EXPECT_EQ(parse_count("1", "--x"), 1U);
  EXPECT_EQ(parse_count("007", "--x"), 7U);
  EXPECT_EQ(parse_count("4294967295", "--x"), UINT32_MAX);
  for (const char* text : {"", "0", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "4294967296",
                           "99999999999999999999", "many"}) {
    const Error error = error_of([&] { parse_count(text, "--workers"); });
    EXPECT_EQ(error.code(), ErrorCode::usage) << text;
    EXPECT_EQ(std::string(error.what()),
              std::string("--workers: '") + text + "' is not a number from 1 on");
  }
}

TEST(ParseSetting, is_cut_at_the_first_equals_sign) {
  const auto shown = [](const char* text) {
    const plugin::Setting made = parse_setting(text);
    return made.name + "|" + made.value;
  };
  EXPECT_EQ(shown("a=b"), "a|b");
  EXPECT_EQ(shown("a="), "a|");
  EXPECT_EQ(shown("a=b=c"), "a|b=c");
  EXPECT_EQ(shown("pattern=^ *= x$"), "pattern|^ *= x$");
  for (const char* text : {"", "=", "=b", "a", "a:b"}) {
    EXPECT_EQ(error_of([&] { parse_setting(text); }).code(), ErrorCode::usage) << text;
  }
}

TEST(ExitCode, follows_what_a_caller_can_do_about_it) {
  EXPECT_EQ(exit_code_of(ErrorCode::usage), ExitCode::usage);
  EXPECT_EQ(exit_code_of(ErrorCode::plugin), ExitCode::usage);
  EXPECT_EQ(exit_code_of(ErrorCode::cancelled), ExitCode::cancelled);
  for (const ErrorCode code :
       {ErrorCode::io, ErrorCode::no_space, ErrorCode::input_changed, ErrorCode::corrupt,
        ErrorCode::task, ErrorCode::worker_died, ErrorCode::limit, ErrorCode::broken}) {
    EXPECT_EQ(exit_code_of(code), ExitCode::job_failed);
  }
}

Texts sandbox_of(const Texts& given) {
  po::options_description all;
  add_sandbox_options(all);
  return sandbox_arguments(parse_options(given, all, "", "muster test"));
}

TEST(SandboxOptions, ArePassedToWorkersAsTheyWereGiven) {
  EXPECT_EQ(sandbox_of({}), Texts{}) << "the worker knows what is usual";
  EXPECT_EQ(sandbox_of({"--sandbox-hide", "/b", "--sandbox", "require", "--sandbox-write", "/a/x/",
                        "--sandbox-write", "/c"}),
            (Texts{"--sandbox", "require", "--sandbox-write", "/a/x/", "--sandbox-write", "/c",
                   "--sandbox-hide", "/b"}));
  EXPECT_EQ(sandbox_of({"--sandbox-write", "x"}).back().front(), '/') << "wherever it is started";
  const Error error = error_of([] { sandbox_of({"--sandbox", "on"}); });
  EXPECT_EQ(error.code(), ErrorCode::usage);
  EXPECT_NE(error.hint().find("best-effort"), std::string::npos);
}

}  // namespace
}  // namespace muster::cli
