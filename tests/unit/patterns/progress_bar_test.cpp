#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <muster/base/file.hpp>
#include <muster/patterns/progress_bar.hpp>

namespace muster {
namespace {

using namespace std::chrono_literals;

Progress half_done() {
  Progress out;
  out.done = 512;
  out.failed = 2;
  out.total = 1024;
  out.fraction = 0.5;
  out.per_second = 1234.4;
  out.eta = 11'200ms;
  out.elapsed = 415ms;
  return out;
}

std::string rendered(const Progress& progress, std::size_t width = 0) {
  return render_progress(progress, {.label = "resize"}, width);
}

TEST(RenderProgress, SaysItAll) {
  EXPECT_EQ(rendered(half_done()),
            "resize  [##########----------]  512/1,024  1,234/s  eta 0:12  2 failed");
  EXPECT_EQ(render_progress(half_done(), {}, 0),
            "[##########----------]  512/1,024  1,234/s  eta 0:12  2 failed");
}

TEST(RenderProgress, StartsWithNothing) {
  Progress start;
  start.total = 3;
  EXPECT_EQ(rendered(start), "resize  [--------------------]  0/3");
}

TEST(RenderProgress, EndsWithTheTimeItTook) {
  Progress end = half_done();
  end.done = 1024;
  end.fraction = 1.0;
  end.eta.reset();
  end.failed = 0;
  end.cancelled = 1;
  end.ended = true;
  EXPECT_EQ(rendered(end),
            "resize  [####################]  1,024/1,024  1,234/s  in 0.41 s  1 cancelled");
}

TEST(RenderProgress, IsFullOnlyWhenAllIsDone) {
  Progress nearly = half_done();
  nearly.fraction = 0.9999;
  EXPECT_NE(rendered(nearly).find("[###################-]"), std::string::npos);
}

TEST(RenderProgress, FitsTheWidth) {
  const std::string whole = rendered(half_done());
  ASSERT_EQ(whole.size(), 70U);
  EXPECT_EQ(rendered(half_done(), 70), whole);
  EXPECT_EQ(rendered(half_done(), 69),
            "resize  [#####-----]  512/1,024  1,234/s  eta 0:12  2 failed");
  EXPECT_EQ(rendered(half_done(), 59), "resize  512/1,024  1,234/s  eta 0:12  2 failed");
  EXPECT_EQ(rendered(half_done(), 45), "resize  512/1,024  eta 0:12  2 failed");
  EXPECT_EQ(rendered(half_done(), 36), "resize  512/1,024  eta 0:12  2 faile");
  for (std::size_t width = 1; width < 80; ++width) {
    EXPECT_LE(rendered(half_done(), width).size(), width);
  }
}

TEST(RenderProgress, CountsAndCutsWholeCharacters) {
  const auto labelled = [](std::size_t width) {
    return render_progress(half_done(), {.label = "größe"}, width);  // 5 characters, 7 bytes
  };
  EXPECT_EQ(labelled(69), "größe  [##########----------]  512/1,024  1,234/s  eta 0:12  2 failed");
  EXPECT_EQ(labelled(4), "größ");
  EXPECT_EQ(labelled(3), "grö");
}

TEST(RenderProgress, KeepsToOneLine) {
  Progress start;
  start.total = 1;
  EXPECT_EQ(render_progress(start, {.label = "a\nb\033[2J"}, 0),
            "a b [2J  [--------------------]  0/1");
}

TEST(RenderProgress, ShowsSlowRatesInLongerUnits) {
  const auto rate = [](double per_second) {
    Progress out;
    out.per_second = per_second;
    return render_progress(out, {}, 0).substr(29);
  };
  EXPECT_EQ(rate(1e6), "1,000,000/s");
  EXPECT_EQ(rate(9.96), "10/s");
  EXPECT_EQ(rate(9.94), "9.9/s");
  EXPECT_EQ(rate(0.5), "30.0/min");
  EXPECT_EQ(rate(0.01), "36.0/h");
}

TEST(RenderProgress, ShowsBytes) {
  Progress out = half_done();
  out.weight_done = 3U << 20U;
  out.weight_total = 6U << 20U;
  out.per_second = 1048576;
  EXPECT_EQ(render_progress(out, {.label = "get", .bytes = true}, 0),
            "get  [##########----------]  512/1,024  3.0 MiB/6.0 MiB  1.0 MiB/s  eta 0:12  2 "
            "failed");
}

/// A stream that is no terminal, and what was written to it.
class PlainStream {
 public:
  std::FILE* get() const { return file_.get(); }
  std::string text() const {
    std::rewind(file_.get());
    std::string out(10'000, '\0');
    out.resize(std::fread(out.data(), 1, out.size(), file_.get()));
    return out;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{std::tmpfile(), &std::fclose};
};

Progress at(Duration elapsed, std::size_t done, bool ended = false) {
  Progress out;
  out.elapsed = elapsed;
  out.done = done;
  out.total = 4;
  out.fraction = static_cast<double>(done) / 4;
  out.ended = ended;
  return out;
}

TEST(ProgressBar, PrintsPlainLinesEveryTenSecondsAndTheLast) {
  const PlainStream stream;
  ProgressBar bar({.label = "x", .stream = stream.get()});
  bar(at(0s, 0));
  bar(at(9s, 1));
  bar(at(10s, 1));
  bar(at(19s, 2));
  bar(at(20s, 2));
  bar(at(21s, 4, true));
  bar(at(0s, 0));  // the next loop
  bar(at(1s, 4, true));
  EXPECT_EQ(stream.text(),
            "x  [#####---------------]  1/4\n"
            "x  [##########----------]  2/4\n"
            "x  [####################]  4/4  in 21.00 s\n"
            "x  [####################]  4/4  in 1.00 s\n");
}

TEST(ProgressBar, PrintsNothingIfQuiet) {
  const PlainStream stream;
  {
    ProgressBar bar({.quiet = true, .stream = stream.get()});
    bar(at(10s, 1));
    bar(at(20s, 4, true));
  }
  EXPECT_EQ(stream.text(), "");
}

class TerminalBar : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* term = std::getenv("TERM");
    if (term != nullptr) term_before_ = term;
    ::setenv("TERM", "xterm", 1);
    int master = -1;
    int slave = -1;
    winsize size{};
    size.ws_row = 24;
    size.ws_col = 31;
    ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
    master_ = UniqueFd(master);
    stream_ = ::fdopen(slave, "w");
    ASSERT_NE(stream_, nullptr);
  }
  void TearDown() override {
    if (stream_ != nullptr) std::fclose(stream_);
    ::setenv("TERM", term_before_.c_str(), 1);
  }

  /// Reads as much as is expected, which may come in parts; a newline arrives as "\r\n".
  void expect(const std::string& expected) const {
    std::string out(expected.size(), '\0');
    std::size_t size = 0;
    while (size < out.size()) {
      pollfd polled{master_.get(), POLLIN, 0};
      ASSERT_EQ(::poll(&polled, 1, 10'000), 1) << "only: " << out.substr(0, size);
      const ssize_t part = ::read(master_.get(), out.data() + size, out.size() - size);
      ASSERT_GT(part, 0) << "only: " << out.substr(0, size);
      size += static_cast<std::size_t>(part);
    }
    EXPECT_EQ(out, expected);
  }

  UniqueFd master_;
  std::FILE* stream_ = nullptr;

 private:
  std::string term_before_ = "dumb";
};

TEST_F(TerminalBar, IsRedrawnInPlace) {
  ProgressBar bar({.label = "x", .stream = stream_});
  bar(at(0ms, 0));
  bar(at(99ms, 1));  // too soon
  bar(at(100ms, 2));
  expect(
      "\rx  [--------------------]  0/4\033[K"
      "\rx  [##########----------]  2/4\033[K");
  bar(at(150ms, 4, true));
  expect("\r\033[Kx  4/4  in 0.15 s\r\n");
}

TEST_F(TerminalBar, EndsItsLineWhenItGoesEarly) {
  {
    ProgressBar bar({.stream = stream_});
    bar(at(0ms, 0));
  }
  expect("\r[--------------------]  0/4\033[K\r\n");
}

TEST_F(TerminalBar, FollowsTheWindow) {
  ProgressBar bar({.label = "x", .stream = stream_});
  winsize size{};
  size.ws_col = 30;
  ASSERT_EQ(::ioctl(master_.get(), TIOCSWINSZ, &size), 0);
  bar(at(0ms, 0));
  expect("\rx  [----------]  0/4\033[K");
}

TEST_F(TerminalBar, PrintsPlainLinesOnADumbOne) {
  ::setenv("TERM", "dumb", 1);
  ProgressBar bar({.stream = stream_});
  bar(at(0ms, 0));
  bar(at(10s, 4, true));
  expect("[####################]  4/4  in 10.00 s\r\n");
}

}  // namespace
}  // namespace muster
