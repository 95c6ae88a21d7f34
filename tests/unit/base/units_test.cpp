#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/units.hpp>

namespace muster {
namespace {

using namespace std::chrono_literals;

TEST(FormatBytes, has_one_decimal_from_a_kibibyte_on) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(8U << 20U), "8.0 MiB");
  EXPECT_EQ(format_bytes(std::uint64_t{5} << 30U), "5.0 GiB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "16.0 EiB");
}

TEST(FormatBytes, never_shows_1024_of_a_unit) {
  EXPECT_EQ(format_bytes((1U << 20U) - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes((1U << 30U) - 1), "1.0 GiB");
}

TEST(FormatCount, groups_by_thousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(61204), "61,204");
  EXPECT_EQ(format_count(123456), "123,456");
  EXPECT_EQ(format_count(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(FormatDuration, turns_to_hours_and_minutes_at_a_minute) {
  EXPECT_EQ(format_duration(0ns), "0.00 s");
  EXPECT_EQ(format_duration(2410ms), "2.41 s");
  EXPECT_EQ(format_duration(59990ms), "59.99 s");
  EXPECT_EQ(format_duration(60s), "0:01:00");
  EXPECT_EQ(format_duration(63s), "0:01:03");
  EXPECT_EQ(format_duration(3599s), "0:59:59");
  EXPECT_EQ(format_duration(100h + 1s), "100:00:01");
}

TEST(FormatDuration, never_shows_60_seconds) { EXPECT_EQ(format_duration(59999ms), "0:01:00"); }

TEST(FormatClock, rounds_up_to_seconds) {
  using namespace std::chrono_literals;
  EXPECT_EQ(format_clock(0s), "0:00");
  EXPECT_EQ(format_clock(-5s), "0:00");
  EXPECT_EQ(format_clock(1ns), "0:01");
  EXPECT_EQ(format_clock(11'200ms), "0:12");
  EXPECT_EQ(format_clock(59'001ms), "1:00");
  EXPECT_EQ(format_clock(1h + 2min + 3s), "1:02:03");
  EXPECT_EQ(format_clock(100h), "100:00:00");
}

TEST(ParseBytes, takes_powers_of_1024) {
  EXPECT_EQ(parse_bytes("0", "--x"), 0U);
  EXPECT_EQ(parse_bytes("4096", "--x"), 4096U);
  EXPECT_EQ(parse_bytes("64K", "--x"), 65536U);
  EXPECT_EQ(parse_bytes("64k", "--x"), 65536U);
  EXPECT_EQ(parse_bytes("8M", "--x"), 8U << 20U);
  EXPECT_EQ(parse_bytes("8MB", "--x"), 8U << 20U);
  EXPECT_EQ(parse_bytes("8MiB", "--x"), 8U << 20U);
  EXPECT_EQ(parse_bytes("1G", "--x"), 1U << 30U);
  EXPECT_EQ(parse_bytes("2T", "--x"), std::uint64_t{2} << 40U);
  EXPECT_EQ(parse_bytes("18446744073709551615", "--x"), UINT64_MAX);
  EXPECT_EQ(parse_bytes("16777215T", "--x"), std::uint64_t{16777215} << 40U);
}

TEST(ParseBytes, refuses_everything_else) {
  for (const char* text : {"",          " ",
                           "K",         "-1",
                           "+1",        "1 K",
                           " 1",        "1K ",
                           "1.5M",      "1e3",
                           "0x10",      "1X",
                           "1Ki",       "1KiBs",
                           "1KB2",      "1E",
                           "1P",        "18446744073709551616",
                           "16777216T", "18014398509481984K",
                           "1\xeb"}) {
    try {
      parse_bytes(text, "--memory");
      ADD_FAILURE() << "taken: '" << text << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_EQ(std::string(error.what()), std::string("--memory: '") + text + "' is not a size");
      EXPECT_NE(error.hint(), "");
    }
  }
}

TEST(ParseDuration, takes_a_number_and_a_unit) {
  EXPECT_EQ(parse_duration("500ms", "--x"), 500ms);
  EXPECT_EQ(parse_duration("10s", "--x"), 10s);
  EXPECT_EQ(parse_duration("5m", "--x"), 5min);
  EXPECT_EQ(parse_duration("4h", "--x"), 4h);
}

TEST(ParseDuration, refuses_everything_else) {
  for (const char* text : {"", "s", "10", "0s", "-1s", "1.5s", "10 s", "10d", "9000h",
                           "99999999999999999999s", "9223372036854775807h"}) {
    EXPECT_THROW(parse_duration(text, "--x"), Error) << text;
  }
}

}  // namespace
}  // namespace muster
