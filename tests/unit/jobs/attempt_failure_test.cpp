#include <csignal>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <muster/executors/errors.hpp>
#include <muster/jobs/attempt_failure.hpp>

namespace muster::jobs {
namespace {

using scheduling::FailureCause;

template <class Thrown>
AttemptFailure of(const Thrown& thrown, const std::string& place = "") {
  return classify(std::make_exception_ptr(thrown), [&](std::uint64_t position) {
    return place.empty() ? place : place + std::to_string(position);
  });
}

AttemptFailure death(int signal, int exit_code, const std::string& place = "") {
  WorkerDeath how;
  how.pid = 42;
  how.signal = signal;
  how.exit_code = exit_code;
  how.position = 7;
  return of(WorkerDiedError(how), place);
}

TEST(Classify, gives_each_error_the_cause_that_has_its_remedy) {
  EXPECT_EQ(of(Error(ErrorCode::no_space, "full")).cause, FailureCause::no_space);
  EXPECT_EQ(of(Error(ErrorCode::input_changed, "x")).cause, FailureCause::input_changed);
  for (const ErrorCode code : {ErrorCode::task, ErrorCode::usage, ErrorCode::limit,
                               ErrorCode::corrupt, ErrorCode::io, ErrorCode::plugin}) {
    EXPECT_EQ(of(Error(code, "x")).cause, FailureCause::task_error);
    EXPECT_EQ(of(Error(code, "x")).code, code);
  }
}

TEST(Classify, keeps_message_and_hint) {
  const AttemptFailure failure = of(Error(ErrorCode::limit, "too much", "take less"));
  EXPECT_EQ(failure.message, "too much");
  EXPECT_EQ(failure.hint, "take less");
}

TEST(Classify, tells_a_crash_from_a_kill) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
    EXPECT_EQ(death(signal, 0).cause, FailureCause::crashed) << signal;
  }
  for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGXCPU, SIGPIPE}) {
    EXPECT_EQ(death(signal, 0).cause, FailureCause::killed) << signal;
  }
  for (const int exit_code : {0, 1, 255}) {
    EXPECT_EQ(death(0, exit_code).cause, FailureCause::crashed) << exit_code;
  }
  EXPECT_EQ(death(SIGSEGV, 0).code, ErrorCode::worker_died);
}

TEST(Classify, says_where_a_process_died_if_that_is_known) {
  EXPECT_NE(death(SIGSEGV, 0, "byte ").message.find("it was at byte 7"), std::string::npos);
  EXPECT_EQ(death(SIGSEGV, 0).message.find("it was at"), std::string::npos);
}

TEST(Classify, knows_who_died_for_want_of_memory) {
  WorkerDeath how;
  how.signal = SIGKILL;
  EXPECT_EQ(of(WorkerDiedError(how)).cause, FailureCause::killed);
  how.out_of_memory = true;
  const AttemptFailure failure = of(WorkerDiedError(how));
  EXPECT_EQ(failure.cause, FailureCause::out_of_memory);
  EXPECT_NE(failure.message.find("for want of memory"), std::string::npos) << failure.message;
}

TEST(Classify, takes_other_exceptions_for_errors_of_the_task) {
  const AttemptFailure failure = of(std::runtime_error("odd"));
  EXPECT_EQ(failure.cause, FailureCause::task_error);
  EXPECT_EQ(failure.code, ErrorCode::task);
  EXPECT_EQ(failure.message, "odd");
  EXPECT_EQ(of(std::bad_alloc()).cause, FailureCause::out_of_memory);
}

// Whatever was thrown: a runner that asks for the class of a failure has to get one.
TEST(Classify, takes_what_is_no_exception_as_well) {
  EXPECT_NO_THROW(EXPECT_EQ(of(42).cause, FailureCause::task_error));
}

}  // namespace
}  // namespace muster::jobs
