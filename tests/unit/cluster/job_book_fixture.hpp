#pragma once

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <muster/base/temp_dir.hpp>
#include <muster/cluster/coordinator/job_book.hpp>
#include <muster/cluster/task_death.hpp>
#include <muster/mapreduce/attempt.hpp>

#include "support/count_job.hpp"

namespace muster::cluster {

/// A book with a job of three map chunks and two partitions, three workers, and a client.
class JobBookFixture : public testing::Test {
 protected:
  static constexpr std::uint32_t map_chunks = 3;
  static constexpr std::uint32_t partitions = 2;
  static constexpr std::uint64_t records_a_chunk = 10;
  static constexpr std::uint64_t ticket = 1;
  static constexpr Duration grace = std::chrono::seconds(60);

  JobBookFixture() {
    make_book();
    join(a, "a");
    join(b, "b");
    join(c, "c");
  }

  void make_book() {
    book = std::make_unique<JobBook>(journal, grace, [](const auto&) {});
    book->recover(now);
  }
  /// Only the journal is as it was. Workers come back by join().
  void restart() {
    book.reset();
    make_book();
  }
  void restart_with_new_life() {
    book.reset();
    file_journal.emplace(directory.path() / "journal.db");
    Journal& next = *file_journal;
    for (Journal::Job& each : journal.open_jobs()) next.add(each);
    next.commit();
    file_journal.emplace(directory.path() / "journal.db");
    book = std::make_unique<JobBook>(*file_journal, grace, [](const auto&) {});
    book->recover(now);
  }

  void join(WorkerId worker, const std::string& name) {
    book->worker_joined(worker, instance_of(worker), name);
    book->worker_at(worker, address_of(worker));
  }
  void left(WorkerId worker, const std::string& why) { book->worker_left(worker, why); }
  static std::uint64_t instance_of(WorkerId worker) { return 1000 + worker.value; }
  static std::string address_of(WorkerId worker) {
    return fmt::format("tcp://10.0.0.{}:1", worker.value);
  }

  wire::SubmitJob submission(std::uint64_t of_ticket) const {
    wire::SubmitJob out = test::count_job(map_chunks, partitions, directory.path());
    out.ticket = of_ticket;
    return out;
  }
  void start_job() {
    const wire::JobAnswer answer = book->submit(now, client, "alice", submission(ticket));
    ASSERT_FALSE(answer.is_refused) << answer.message;
    ASSERT_EQ(answer.job, id.value);
    book->take_orders();
  }

  scheduling::StartAttempt attempt_of(std::uint32_t stage, std::uint32_t chunk, WorkerId worker) {
    return {AttemptId{++last_attempt}, id, stage, chunk, worker};
  }
  std::pair<wire::Digest, wire::Call> start(std::uint32_t stage, std::uint32_t chunk,
                                            WorkerId worker) {
    return book->start(now, attempt_of(stage, chunk, worker));
  }
  scheduling::StartAttempt started(std::uint32_t stage, std::uint32_t chunk, WorkerId worker) {
    const auto attempt = attempt_of(stage, chunk, worker);
    book->start(now, attempt);
    return attempt;
  }
  static wire::CallEnd value(Bytes result) {
    JobCallEnd end;
    end.value = std::move(result);
    return {0, wire::EndKind::value, encode(end)};
  }
  static wire::CallEnd failure(scheduling::FailureCause cause, ErrorCode code,
                               const std::string& text) {
    JobCallEnd end;
    end.kind = JobCallEnd::Kind::failure;
    end.failure = {cause, code, text, {}};
    return {0, wire::EndKind::value, encode(end)};
  }
  static wire::CallEnd death(int signal, bool for_memory) {
    WorkerDeath death;
    death.pid = 77;
    death.signal = signal;
    death.out_of_memory = for_memory;
    return {0,
            for_memory          ? wire::EndKind::out_of_memory
            : signal == SIGKILL ? wire::EndKind::killed
                                : wire::EndKind::crashed,
            encode(death)};
  }
  void finish(const scheduling::StartAttempt& attempt, Bytes result) {
    const auto events = book->ended(now, attempt, value(std::move(result)));
    ASSERT_EQ(events.size(), 1U);
    ASSERT_TRUE(std::holds_alternative<scheduling::AttemptSucceeded>(events[0])) << last_line();
    book->on(scheduling::ChunkFinished{id, attempt.stage, attempt.chunk, attempt.attempt});
  }
  void map(std::uint32_t chunk, WorkerId worker) {
    mapreduce::MapResult result;
    result.records_in = records_a_chunk;
    result.partition_records = {4, 6};
    finish(started(0, chunk, worker), mapreduce::encode(result));
  }
  void reduce(std::uint32_t part, WorkerId worker) {
    mapreduce::ReduceResult result;
    result.records_in = map_chunks * (part == 0 ? 4 : 6);
    finish(started(1, part, worker), mapreduce::encode(result));
  }

  /// What the book wants the scheduler to be told, all of one kind.
  template <class E>
  std::vector<E> orders() {
    std::vector<E> out;
    for (const scheduling::Event& each : book->take_orders()) {
      const auto* const one = std::get_if<E>(&each);
      EXPECT_NE(one, nullptr) << "another order, of kind " << each.index();
      if (one != nullptr) out.push_back(*one);
    }
    return out;
  }
  std::vector<std::pair<wire::SessionId, JobBook::Message>> take_news(bool has_room = true) {
    return book->take_news(now, [has_room](auto) { return has_room; });
  }
  /// The answer to a question.
  template <class M>
  M ask(const wire::AskJob& question) {
    book->ask(now, client, question);
    auto news = take_news();
    if (news.size() != 1 || !std::holds_alternative<M>(news[0].second)) {
      ADD_FAILURE() << news.size() << " answers";
      return {};
    }
    EXPECT_EQ(news[0].first, client);
    return std::get<M>(std::move(news[0].second));
  }
  std::string last_line() {
    const std::uint64_t count = journal.line_count(id.value);
    return count == 0 ? "" : journal.lines(id.value, count - 1, 1).at(0);
  }

  const WorkerId a{11};
  const WorkerId b{12};
  const WorkerId c{13};
  const wire::SessionId client{40};
  const JobId id{1};
  TimePoint now{std::chrono::hours(1)};
  std::uint64_t last_attempt = 0;
  TempDir directory{default_temp_parent()};
  Journal journal{":memory:"};
  std::optional<Journal> file_journal;
  std::unique_ptr<JobBook> book;
};

}  // namespace muster::cluster
