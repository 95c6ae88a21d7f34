// The jobs of a coordinator, without one: what the book says to the scheduler is done by hand.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "job_book_fixture.hpp"

namespace muster::cluster {
namespace {

using namespace std::chrono_literals;
using scheduling::FailureCause;
using scheduling::JobSubmitted;
using Phase = wire::JobState::Phase;
using What = wire::AskJob::What;

class JobBookTest : public JobBookFixture {};

TEST_F(JobBookTest, TakesAJobOnceHoweverOftenItComes) {
  const wire::JobAnswer first = book->submit(now, client, "alice", submission(7));
  EXPECT_FALSE(first.is_refused) << first.message;
  EXPECT_EQ(first.job, 1U);
  EXPECT_EQ(orders<JobSubmitted>().size(), 1U);
  EXPECT_TRUE(book->take_live_changed());
  const wire::JobAnswer again = book->submit(now, client, "alice", submission(7));
  EXPECT_FALSE(again.is_refused);
  EXPECT_EQ(again.job, 1U);
  EXPECT_TRUE(book->take_orders().empty());
  EXPECT_EQ(book->submit(now, client, "alice", submission(8)).job, 2U);
  EXPECT_EQ(book->size(), 2U);
  EXPECT_EQ(book->live().jobs, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(JobBookTest, RefusesWhatMakesNoSenseAndKeepsNothingOfIt) {
  wire::SubmitJob rubbish = submission(1);
  rubbish.plan = "rubbish";
  wire::SubmitJob nowhere = submission(2);
  nowhere.parts = "relative";
  wire::SubmitJob long_name = submission(3);
  long_name.name = std::string(10'000, 'x');
  for (wire::SubmitJob* each : {&rubbish, &nowhere, &long_name}) {
    const wire::JobAnswer answer = book->submit(now, client, "alice", std::move(*each));
    EXPECT_TRUE(answer.is_refused);
    EXPECT_NE(answer.message, "");
  }
  EXPECT_EQ(book->size(), 0U);
  EXPECT_TRUE(book->take_orders().empty());
  EXPECT_TRUE(journal.open_jobs().empty());
}

TEST_F(JobBookTest, RunsAJobToItsEnd) {
  start_job();
  for (std::uint32_t chunk = 0; chunk < map_chunks; ++chunk) {
    EXPECT_EQ(book->open_chunks(), map_chunks - chunk);
    map(chunk, a);
  }
  book->on(now, scheduling::StageFinished{id, 0});
  EXPECT_EQ(book->open_chunks(), partitions);
  for (std::uint32_t part = 0; part < partitions; ++part) reduce(part, b);
  book->on(now, scheduling::StageFinished{id, 1});
  EXPECT_EQ(journal.chunks(1).size(), map_chunks + partitions);
  book->on(now, scheduling::JobFinished{id, scheduling::Outcome::succeeded, {}});
  const wire::JobState end = journal.state(1).value();
  EXPECT_EQ(end.phase, Phase::succeeded);
  EXPECT_EQ(end.part_files.size(), partitions);
  EXPECT_EQ(end.records_mapped, map_chunks * records_a_chunk);
  EXPECT_EQ(book->size(), 0U);
  EXPECT_TRUE(journal.open_jobs().empty());
  EXPECT_TRUE(journal.chunks(1).empty());
}

TEST_F(JobBookTest, TellsAReduceWhereItsRunsAre) {
  start_job();
  map(0, a);
  map(1, b);
  map(2, a);
  left(b, "it hangs");
  const JobCall call = decode_job_call(start(1, 0, a).second.bytes);
  ASSERT_EQ(call.address_of_run.size(), map_chunks);
  const auto address = [&](std::size_t run) { return call.addresses[call.address_of_run[run]]; };
  EXPECT_EQ(address(0), address_of(a));
  EXPECT_EQ(address(1), "") << "it is gone";
  EXPECT_EQ(address(2), address_of(a));
  EXPECT_EQ(call.addresses.size(), 2U);
}

TEST_F(JobBookTest, SaysWhyAnAttemptFailed) {
  start_job();
  const auto expect_cause = [&](wire::CallEnd end, FailureCause cause, const std::string& text) {
    const auto attempt = started(0, 0, a);
    end.number = attempt.attempt.value;
    const auto events = book->ended(now, attempt, std::move(end));
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(std::get<scheduling::AttemptFailed>(events[0]).attempt, attempt.attempt);
    EXPECT_EQ(std::get<scheduling::AttemptFailed>(events[0]).cause, cause) << text;
    EXPECT_NE(last_line().find(text), std::string::npos) << last_line();
    EXPECT_NE(last_line().find("worker 'a'"), std::string::npos) << last_line();
  };
  expect_cause({0, wire::EndKind::worker_lost, "it was pulled out"}, FailureCause::worker_lost,
               "it was pulled out");
  expect_cause(death(SIGSEGV, false), FailureCause::crashed, "signal 11");
  expect_cause(death(SIGKILL, false), FailureCause::killed, "signal 9");
  expect_cause(death(SIGKILL, true), FailureCause::out_of_memory, "memory");
  expect_cause({0, wire::EndKind::value, "rubbish"}, FailureCause::task_error, "job");
  expect_cause(failure(FailureCause::no_space, ErrorCode::no_space, "the disk is full"),
               FailureCause::no_space, "the disk is full");
  expect_cause(failure(FailureCause::task_error, ErrorCode::task, "evil\x1b[31m"),
               FailureCause::task_error, "evil?[31m");
}

TEST_F(JobBookTest, ChargesNothingForWhatWasReturnedOrStopped) {
  start_job();
  const auto returned = started(0, 0, a);
  auto events = book->ended(now, returned, {1, wire::EndKind::returned, ""});
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<scheduling::AttemptReturned>(events[0]));
  const auto stopped = started(0, 0, a);
  events = book->ended(now, stopped, {2, wire::EndKind::cancelled, ""});
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<scheduling::AttemptFailed>(events[0]).cause, FailureCause::killed);
  EXPECT_EQ(last_line().find("failed"), std::string::npos) << "nobody has to be told";
}

TEST_F(JobBookTest, FailsWithWhatHasFailedLast) {
  start_job();
  const auto attempt = started(0, 1, a);
  book->ended(now, attempt, failure(FailureCause::task_error, ErrorCode::task, "no such word"));
  book->on(now, scheduling::JobFinished{id, scheduling::Outcome::failed,
                                        scheduling::JobFailure{0, 1, 1, FailureCause::task_error}});
  const wire::JobState end = journal.state(1).value();
  EXPECT_EQ(end.phase, Phase::failed);
  EXPECT_NE(end.message.find("map chunk 2 of 3"), std::string::npos) << end.message;
  EXPECT_NE(end.message.find("no such word"), std::string::npos) << end.message;
  EXPECT_EQ(static_cast<ErrorCode>(end.code), ErrorCode::task);
}

// What is not of the partitions of the job is the plugin's or the network's fault, and ends it.
TEST_F(JobBookTest, BreaksAJobWhoseCountsMakeNoSense) {
  start_job();
  mapreduce::MapResult odd;
  odd.partition_records = {1, 2, 3, 4, 5};
  const auto attempt = started(0, 0, a);
  book->ended(now, attempt, value(mapreduce::encode(odd)));
  book->on(scheduling::ChunkFinished{id, 0, 0, attempt.attempt});
  EXPECT_EQ(orders<scheduling::JobCancelled>().size(), 1U);
  book->on(now, scheduling::JobFinished{id, scheduling::Outcome::cancelled, {}});
  EXPECT_EQ(journal.state(1)->phase, Phase::failed) << "nobody has cancelled it";
  EXPECT_NE(journal.state(1)->message.find("not of the partitions"), std::string::npos);
}

TEST_F(JobBookTest, CancelsWhenAsked) {
  start_job();
  EXPECT_EQ(ask<wire::JobAnswer>({1, What::cancel, 1}).job, 1U);
  const auto cancelled = orders<scheduling::JobCancelled>();
  ASSERT_EQ(cancelled.size(), 1U);
  EXPECT_EQ(cancelled[0].job, id);
  book->on(now, scheduling::JobFinished{id, scheduling::Outcome::cancelled, {}});
  EXPECT_EQ(journal.state(1)->phase, Phase::cancelled);
  EXPECT_FALSE(ask<wire::JobAnswer>({2, What::cancel, 1}).is_refused) << "it has ended: so be it";
  EXPECT_TRUE(book->take_orders().empty());
  EXPECT_TRUE(ask<wire::JobAnswer>({3, What::cancel, 77}).is_refused);
}

TEST_F(JobBookTest, EndsJobsWithoutOutputWithTheirClient) {
  start_job();
  wire::SubmitJob lasting = submission(2);
  lasting.output = directory.path() / "out";
  book->submit(now, client, "alice", std::move(lasting));
  book->take_orders();
  book->client_left(client);
  const auto cancelled = orders<scheduling::JobCancelled>();
  ASSERT_EQ(cancelled.size(), 1U);
  EXPECT_EQ(cancelled[0].job, id);
}

TEST_F(JobBookTest, ListsWhatThereIs) {
  start_job();
  book->submit(now, client, "bob", submission(2));
  const auto all = ask<wire::JobStates>({5, What::list});
  EXPECT_EQ(all.number, 5U);
  ASSERT_EQ(all.jobs.size(), 2U);
  EXPECT_EQ(all.jobs[0].owner, "alice");
  EXPECT_EQ(all.jobs[1].owner, "bob");
  EXPECT_EQ(all.jobs[1].job, 2U);
  EXPECT_EQ(ask<wire::JobStates>({6, What::state, 2}).jobs.at(0).job, 2U);
  EXPECT_TRUE(ask<wire::JobAnswer>({7, What::state, 3}).is_refused);
  const auto log = ask<wire::JobLog>({8, What::log, 2});
  ASSERT_EQ(log.lines.size(), 1U);
  EXPECT_NE(log.lines[0].find("was submitted by 'bob'"), std::string::npos);
  EXPECT_EQ(log.next, 1U);
  EXPECT_TRUE(ask<wire::JobLog>({9, What::log, 2, 1}).lines.empty());
}

TEST_F(JobBookTest, TellsFollowersEachChunkOnceBeforeTheStateThatCountsIt) {
  start_job();
  map(0, a);
  EXPECT_TRUE(take_news().empty()) << "nobody wants to know";
  book->ask(now, client, {1, What::follow, 1});
  auto news = take_news();
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(std::get<wire::JobChunks>(news[0].second).chunks.size(), 1U) << "what had ended before";
  map(1, b);
  map(2, a);
  EXPECT_TRUE(take_news(false).empty()) << "it does not keep up";
  now += 1s;
  news = take_news();
  ASSERT_EQ(news.size(), 2U);
  const auto& told = std::get<wire::JobChunks>(news[0].second).chunks;
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].worker, "b");
  const wire::JobState& state = std::get<wire::JobStates>(news[1].second).jobs.at(0);
  EXPECT_EQ(state.stages.at(0).chunks_done, 3U);
  now += 1s;
  EXPECT_TRUE(take_news().empty()) << "nothing is new";
}

TEST_F(JobBookTest, TellsEachWatchOfOneClient) {
  start_job();
  take_news();
  book->ask(now, client, {1, What::follow, 1});
  book->ask(now, client, {2, What::watch, 1});
  EXPECT_EQ(take_news().size(), 2U);
  map(0, a);
  now += 1s;
  const auto news = take_news();
  ASSERT_EQ(news.size(), 3U);
  EXPECT_EQ(std::get<wire::JobChunks>(news[0].second).number, 1U);
  EXPECT_EQ(std::get<wire::JobStates>(news[1].second).number, 1U);
  EXPECT_EQ(std::get<wire::JobStates>(news[2].second).number, 2U);
}

TEST_F(JobBookTest, RefusesMoreWatchesOfOneClientThanItNeeds) {
  start_job();
  take_news();
  for (std::uint64_t number = 1; number <= 64; ++number)
    book->ask(now, client, {number, What::watch, 1});
  EXPECT_EQ(take_news().size(), 64U);
  const auto refused = ask<wire::JobAnswer>({65, What::watch, 1});
  EXPECT_EQ(refused.number, 65U);
  EXPECT_TRUE(refused.is_refused);
  EXPECT_EQ(refused.code, static_cast<std::uint8_t>(ErrorCode::limit));
  EXPECT_EQ(ask<wire::JobStates>({1, What::state, 1}).number, 1U) << "which ends that watch";
  EXPECT_EQ(ask<wire::JobStates>({65, What::watch, 1}).number, 65U);
  map(0, a);
  now += 1s;
  const auto news = take_news();
  ASSERT_EQ(news.size(), 64U);
  EXPECT_EQ(std::get<wire::JobStates>(news[0].second).number, 2U);
}

TEST_F(JobBookTest, GoesOnAfterARestartWithWhatIsStillThere) {
  start_job();
  map(0, a);
  map(1, b);
  restart();
  EXPECT_EQ(journal.open_jobs().size(), 1U);
  ASSERT_TRUE(book->has(id));
  book->expire(now);
  EXPECT_TRUE(book->take_orders().empty()) << "it waits for both";
  join(a, "a");
  book->expire(now);
  EXPECT_TRUE(book->take_orders().empty()) << "and for b";
  now += grace;
  book->expire(now);
  const auto submitted = orders<JobSubmitted>();
  ASSERT_EQ(submitted.size(), 1U);
  ASSERT_EQ(submitted[0].restored.size(), 1U) << "what b had is to be mapped again";
  EXPECT_EQ(submitted[0].restored[0].chunk, 0U);
  EXPECT_EQ(submitted[0].restored[0].worker, a);
  EXPECT_NE(last_line().find("1 map chunks have to be run again"), std::string::npos)
      << last_line();
  EXPECT_EQ(journal.chunks(1).at(1).instance, 0U) << "and it is so after the next restart";
}

TEST_F(JobBookTest, WaitsNoLongerThanForTheLastWorker) {
  start_job();
  map(0, a);
  map(1, b);
  restart();
  join(a, "a");
  join(b, "b");
  EXPECT_LE(book->next_deadline().value(), now);
  book->expire(now);
  const auto submitted = orders<JobSubmitted>();
  ASSERT_EQ(submitted.size(), 1U);
  EXPECT_EQ(submitted[0].restored.size(), 2U);
  book->expire(now);
  EXPECT_TRUE(book->take_orders().empty()) << "once";
}

TEST_F(JobBookTest, EndsAfterARestartWhatNobodyComesBackFor) {
  start_job();
  restart();
  book->expire(now);
  EXPECT_EQ(orders<JobSubmitted>().size(), 1U);
  now += 2 * grace;
  book->expire(now);
  EXPECT_EQ(orders<scheduling::JobCancelled>().size(), 1U);
  EXPECT_NE(last_line().find("its client did not come back"), std::string::npos);
}

TEST_F(JobBookTest, KeepsAfterARestartWhatSomebodyComesBackForWithItsTicket) {
  start_job();
  restart();
  book->expire(now);
  book->take_orders();
  book->ask(now, wire::SessionId{50}, {1, What::follow, 1, 0, 999});  // only watches
  book->ask(now, client, {1, What::follow, 1, 0, ticket});
  now += 2 * grace;
  book->expire(now);
  EXPECT_TRUE(book->take_orders().empty());
  book->client_left(wire::SessionId{50});
  EXPECT_TRUE(book->take_orders().empty());
  book->client_left(client);
  EXPECT_EQ(orders<scheduling::JobCancelled>().size(), 1U);
}

// An earlier life's attempts have other names: what one of them still says is of no chunk.
TEST_F(JobBookTest, NamesAttemptsAfterItsLife) {
  start_job();
  const auto name_of = [&](const wire::Call& call) {
    return mapreduce::decode_map_request(decode_job_call(call.bytes).request).output.string();
  };
  const std::string before = name_of(start(0, 0, a).second);
  EXPECT_EQ(before, "run-1-1");
  restart_with_new_life();
  join(a, "a");
  book->expire(now);
  last_attempt = 0;
  EXPECT_EQ(name_of(start(0, 0, a).second), "run-2-1");
}

}  // namespace
}  // namespace muster::cluster
