#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <muster/plugin.hpp>

#include "unit/sdk/host.hpp"

namespace muster::sdk {
namespace {

struct ShowRecords {
  [[maybe_unused]] static constexpr bool line_numbers = true;
  static void map(const Record& record, Output& out) {
    out.line(record.file, '|', record.line, '|', record.offset, '|', record.text);
  }
};

struct ShowLines {
  static void map(std::string_view line, Output& out) { out.line('<', line, '>'); }
};

struct ShowBlocks {
  static constexpr auto records = Records::words;
  static void map_block(std::string_view block, Output& out) { out.line(block.size()); }
};

TEST(MapLoop, gives_each_line_with_its_place) {
  MapInstance<ShowRecords> instance{Parameters()};
  MapHost host({"one\n\ntwo\r\n", "three\n", "last"});
  const muster_counts counts = instance.map(host.raw());
  EXPECT_EQ(host.output,
            "file|1|0|one\nfile|2|4|\nfile|3|5|two\r\nfile|4|10|three\nfile|5|16|last\n");
  EXPECT_EQ(counts.records_in, 5U);
  EXPECT_EQ(counts.records_out, 5U);
  EXPECT_EQ(host.records, 5U);
}

TEST(MapLoop, keeps_the_host_told_where_it_is) {
  struct Stop {
    static void map(std::string_view line, Output&) {
      if (line == "bad") throw std::runtime_error("bad");
    }
  };
  MapInstance<Stop> instance{Parameters()};
  MapHost host({"good\n", "fine\nbad\nmore\n"});
  EXPECT_THROW(instance.map(host.raw()), std::runtime_error);
  EXPECT_EQ(host.position, 1000U + 10U);
}

TEST(MapLoop, lines_may_hold_any_byte_but_their_end) {
  MapInstance<ShowLines> instance{Parameters()};
  MapHost host({std::string("\0\xff\r\n\n", 5)});
  instance.map(host.raw());
  EXPECT_EQ(host.output, std::string("<\0\xff\r>\n<>\n", 9));
}

TEST(MapLoop, hands_whole_blocks_to_those_who_want_them) {
  MapInstance<ShowBlocks> instance{Parameters()};
  MapHost host({"a b ", "cd\n"});
  instance.map(host.raw());
  EXPECT_EQ(host.output, "4\n3\n");
}

TEST(Output, passes_large_blocks_on_and_counts_all_lines) {
  MapHost host({});
  Output out(host.raw());
  std::string expected;
  for (int i = 0; i < 100'000; ++i) {
    out.line(i, "\tvalue");
    expected += std::to_string(i) + "\tvalue\n";
  }
  EXPECT_FALSE(host.output.empty()) << "not all is kept until the end";
  out.flush();
  EXPECT_EQ(host.output, expected);
  EXPECT_EQ(out.written(), 100'000U);
  EXPECT_EQ(host.records, 100'000U);
  out.flush();
  EXPECT_EQ(host.records, 100'000U);
}

TEST(Output, lines_may_be_empty) {
  MapHost host({});
  Output out(host.raw());
  out.line();
  out.line("");
  out.flush();
  EXPECT_EQ(host.output, "\n\n");
  EXPECT_EQ(out.written(), 2U);
}

TEST(Output, tells_when_the_host_failed) {
  MapHost host({});
  host.fail_write = 0;
  Output out(host.raw());
  out.line("x");
  EXPECT_THROW(out.flush(), HostFailed);
  EXPECT_EQ(out.written(), 0U);
}

}  // namespace
}  // namespace muster::sdk
