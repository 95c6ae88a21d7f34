#include <algorithm>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/codec/types.hpp>
#include <muster/executors/process_pool.hpp>
#include <muster/executors/register_error.hpp>
#include <muster/futures/errors.hpp>

#include "support.hpp"

// Of the contract's checklist: 83, 85, 107.

namespace muster::test {
namespace {

struct Unusual {};

struct ByMessage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Not to be made from what it says.
class Whole : public std::exception {
 public:
  Whole() = default;
  Whole(std::string file, std::vector<int> lines)
      : file_(std::move(file)),
        lines_(std::move(lines)),
        text_(file_ + " is bad in " + std::to_string(lines_.size()) + " lines") {}

  const char* what() const noexcept override { return text_.c_str(); }
  const std::vector<int>& lines() const { return lines_; }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(file_, lines_);
  }

 private:
  std::string file_;
  std::vector<int> lines_;
  std::string text_;  // not sent
};

struct Flat {
  int number;
};

struct Stubborn : std::runtime_error {
  explicit Stubborn(const std::string& text) : std::runtime_error(text) {
    if (in_task_process()) return;
    throw Unusual();  // cannot be made anywhere else
  }
};

struct Derived : ByMessage {
  using ByMessage::ByMessage;
};

const bool registered = [] {  // before main, and so before init()
  register_error<ByMessage>();
  register_error<Whole>();
  register_error<Flat>();
  register_error<Stubborn>();
  register_error<ByMessage>();
  return true;
}();

Bytes throw_kind(TaskContext&, std::string_view kind) {
  if (kind == "unknown") throw Derived("boom");
  if (kind == "int") throw 42;
  if (kind == "unusual") throw Unusual{};
  if (kind == "muster") throw Error(ErrorCode::no_space, "the disk is full", "make room");
  if (kind == "memory") throw std::bad_alloc();
  if (kind == "long") throw std::runtime_error(std::string(1'000'000, 'x'));
  if (kind == "invalid") throw std::invalid_argument("boom");
  if (kind == "message") throw ByMessage("boom");
  if (kind == "whole") throw Whole("input", {3, 14});
  if (kind == "large") throw Whole("input", std::vector<int>(1'000'000));
  if (kind == "flat") throw Flat{7};
  if (kind == "stubborn") throw Stubborn("boom");
  if (kind == "deadline") throw DeadlineError("too late");
  if (kind == "errno") {
    throw std::system_error(ENOENT, std::generic_category(), "open");
  }
  if (kind == "file") {
    throw std::filesystem::filesystem_error("copy", "a", "b",
                                            std::make_error_code(std::errc::file_exists));
  }
  if (kind == "rethrown") std::rethrow_exception(std::make_exception_ptr(std::range_error("boom")));
  try {
    try {
      throw std::out_of_range("inner");
    } catch (...) {
      std::throw_with_nested(std::logic_error("middle"));
    }
  } catch (...) {
    if (kind == "nested unknown") std::throw_with_nested(Derived("outer"));
    std::throw_with_nested(Error(ErrorCode::corrupt, "outer"));
  }
}

class RemoteErrorTest : public PoolTest {
 protected:
  void SetUp() override {
    PoolTest::SetUp();
    pool_.emplace(ProcessPoolOptions{.max_workers = 1});
  }

  // Caught as E. Slices no facts off: E is looked at while it is what was thrown.
  template <class E, class Look>
  void expect(const Bytes& kind, Look look) {
    try {
      pool_->submit_raw(&throw_kind, kind).result();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const E& error) {
      look(error);
    } catch (const std::exception& error) {
      ADD_FAILURE() << typeid(error).name() << ": " << error.what();
    }
  }

  RemoteError error_of(const Bytes& kind) {
    std::optional<RemoteError> out;
    expect<RemoteError>(kind, [&](const RemoteError& error) { out = error; });
    return out.value();
  }

  RemoteFacts facts_of(const Bytes& kind) {
    std::optional<RemoteFacts> out;
    expect<RemoteFacts>(kind, [&](const RemoteFacts& facts) { out = facts; });
    return out.value();
  }

  void TearDown() override {
    EXPECT_EQ(pool_->submit_raw(&echo, "alive").result(), "alive");
    pool_.reset();
    PoolTest::TearDown();
  }

  std::optional<ProcessPoolExecutor> pool_;
};

TEST_F(RemoteErrorTest, AnUnknownTypeArrivesAsRemoteError) {
  const RemoteError error = error_of("unknown");
  EXPECT_EQ(error.code(), ErrorCode::task);
  EXPECT_TRUE(error.type().ends_with("Derived")) << error.type();
  EXPECT_EQ(error.what(), error.type() + ": boom");
  EXPECT_EQ(error.chain().size(), 1U);
}

TEST_F(RemoteErrorTest, WhatIsNoExceptionIsNamed) {
  EXPECT_EQ(error_of("int").type(), "int");
  EXPECT_STREQ(error_of("int").what(), "threw int");
  EXPECT_NE(error_of("unusual").type().find("Unusual"), std::string::npos);
}

TEST_F(RemoteErrorTest, SaysWhere) {
  const Bytes pid = pool_->submit_raw(&own_pid, {}).result();
  const RemoteFacts facts = facts_of("unknown");
  EXPECT_EQ(std::to_string(facts.pid()), pid);
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof(host) - 1), 0);
  EXPECT_EQ(facts.host(), host);
  const std::string report = facts.report();
  EXPECT_NE(report.find("\n  thrown in process " + pid + " on " + host + "\n  #0 "),
            std::string::npos)
      << report;
}

// 107
TEST_F(RemoteErrorTest, AStandardExceptionArrivesAsItself) {
  expect<std::invalid_argument>("invalid", [](const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "boom");
    const RemoteFacts* facts = remote_facts(error);
    ASSERT_NE(facts, nullptr);
    EXPECT_EQ(facts->type(), "std::invalid_argument");
    EXPECT_EQ(facts->summary(), "std::invalid_argument: boom");
  });
  expect<std::logic_error>("invalid", [](const auto&) {});
  expect<std::range_error>("rethrown", [](const auto&) {});
  EXPECT_EQ(remote_facts(std::invalid_argument("here")), nullptr);
}

TEST_F(RemoteErrorTest, ASystemErrorKeepsItsCode) {
  expect<std::system_error>("errno", [](const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_STREQ(error.what(), "open: No such file or directory");
  });
  expect<std::filesystem::filesystem_error>("file", [](const auto& error) {
    EXPECT_EQ(error.code(), std::errc::file_exists);
    EXPECT_EQ(error.path1(), "a");
    EXPECT_EQ(error.path2(), "b");
    EXPECT_STREQ(error.what(), "filesystem error: copy: File exists [a] [b]");
  });
}

TEST_F(RemoteErrorTest, AnOwnErrorKeepsCodeMessageAndHint) {
  expect<Error>("muster", [](const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::no_space);
    EXPECT_EQ(error.hint(), "make room");
    EXPECT_STREQ(error.what(), "the disk is full");
    EXPECT_EQ(remote_facts(error)->type(), "muster::Error");
    EXPECT_EQ(remote_facts(error)->summary(), "the disk is full");
    EXPECT_EQ(remote_facts(error)->code(), ErrorCode::no_space);
  });
  expect<DeadlineError>("deadline", [](const auto& error) {
    EXPECT_STREQ(error.what(), "too late");
    EXPECT_EQ(error.code(), ErrorCode::limit);
  });
}

TEST_F(RemoteErrorTest, LackOfMemoryIsALimit) {
  expect<std::bad_alloc>("memory", [](const std::bad_alloc& error) {
    EXPECT_EQ(remote_facts(error)->code(), ErrorCode::limit);
    EXPECT_EQ(remote_facts(error)->type(), "std::bad_alloc");
  });
}

TEST_F(RemoteErrorTest, ARegisteredTypeArrivesAsItself) {
  expect<ByMessage>("message", [](const auto& error) { EXPECT_STREQ(error.what(), "boom"); });
  expect<Whole>("whole", [](const Whole& error) {
    EXPECT_EQ(error.lines(), (std::vector<int>{3, 14}));
    EXPECT_STREQ(error.what(), "input is bad in 2 lines");
  });
  expect<Flat>("flat", [](const Flat& error) { EXPECT_EQ(error.number, 7); });
  EXPECT_TRUE(facts_of("flat").type().ends_with("Flat"));
}

TEST_F(RemoteErrorTest, WhatCannotBeRebuiltIsStillToldOf) {
  EXPECT_TRUE(std::string(error_of("stubborn").what()).ends_with("Stubborn: boom"));
  EXPECT_TRUE(error_of("large").chain()[0].message.starts_with("input is bad in 1000000"));
}

TEST_F(RemoteErrorTest, NestedCausesAreListed) {
  expect<Error>("nested", [](const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    EXPECT_STREQ(error.what(), "outer");
    const RemoteFacts& facts = *remote_facts(error);
    ASSERT_EQ(facts.chain().size(), 3U);
    EXPECT_EQ(facts.type(), "muster::Error");
    EXPECT_EQ(facts.chain()[1].type, "std::logic_error");
    EXPECT_EQ(facts.chain()[2].message, "inner");
    EXPECT_EQ(facts.summary(),
              "outer; caused by std::logic_error: middle; caused by std::out_of_range: inner");
    EXPECT_NE(facts.report().find("\n  caused by std::out_of_range: inner\n"), std::string::npos);
  });
  const std::string what = error_of("nested unknown").what();
  EXPECT_TRUE(
      what.ends_with("Derived: outer; caused by std::logic_error: middle; caused by "
                     "std::out_of_range: inner"))
      << what;
}

TEST_F(RemoteErrorTest, AnEndlessMessageIsCut) {
  expect<std::runtime_error>("long", [](const auto& error) {
    EXPECT_EQ(std::string(error.what()).size(), std::size_t{16} << 10U);
  });
}

int refuse_odd(int number) {
  if (number % 2 != 0) throw std::out_of_range(std::to_string(number));
  return number;
}

// 83
TEST_F(RemoteErrorTest, EveryFutureHasAnErrorOfItsOwn) {
  std::vector<std::exception_ptr> errors;
  for (int i = 0; i < 2; ++i) {
    errors.push_back(pool_->submit_raw(&throw_kind, "invalid").exception());
  }
  auto results = pool_->map(refuse_odd, std::vector<int>{1, 2, 3}, MapOptions{.chunk_size = 3});
  std::vector<std::string> seen;
  for (auto at = results.begin(); at != results.end(); ++at) {
    try {
      seen.push_back(std::to_string(*at));
    } catch (const std::out_of_range& error) {
      seen.push_back(std::string("threw ") + error.what());
      errors.push_back(std::current_exception());
      ASSERT_NE(remote_facts(error), nullptr);
      EXPECT_FALSE(remote_facts(error)->backtrace().empty());
    }
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"threw 1", "2", "threw 3"}));
  ASSERT_EQ(errors.size(), 4U);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) EXPECT_NE(errors[i], errors[k]);
  }
}

}  // namespace
}  // namespace muster::test
