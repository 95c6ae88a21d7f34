#include <new>

#include <fmt/format.h>

#include <muster/executors/errors.hpp>
#include <muster/jobs/attempt_failure.hpp>

namespace muster::jobs {
namespace {

using scheduling::FailureCause;

FailureCause cause_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::no_space:
      return FailureCause::no_space;
    case ErrorCode::input_changed:
      return FailureCause::input_changed;
    case ErrorCode::out_of_memory:
      return FailureCause::out_of_memory;
    default:
      return FailureCause::task_error;
  }
}

AttemptFailure died(const WorkerDiedError& error,
                    const std::function<std::string(std::uint64_t)>& place) {
  const WorkerDeath& death = error.death();
  const FailureCause cause = death.out_of_memory ? FailureCause::out_of_memory
                             : death.own_doing() ? FailureCause::crashed
                                                 : FailureCause::killed;
  AttemptFailure out{cause, ErrorCode::worker_died, error.what(), error.hint()};
  const std::string where = place(death.position);
  if (!where.empty()) out.message += fmt::format("\n  it was at {}, or up to a block later", where);
  return out;
}

}  // namespace

AttemptFailure classify(const std::exception_ptr& error,
                        const std::function<std::string(std::uint64_t)>& place) {
  try {
    std::rethrow_exception(error);
  } catch (const WorkerDiedError& death) {
    return died(death, place);
  } catch (const RemoteFacts& facts) {
    return {cause_of(facts.code()), facts.code(), facts.summary(), facts.hint()};
  } catch (const Error& known) {
    return {cause_of(known.code()), known.code(), known.what(), known.hint()};
  } catch (const std::bad_alloc&) {
    return {FailureCause::out_of_memory, ErrorCode::out_of_memory, "there was no more memory", {}};
  } catch (const std::exception& other) {
    return {FailureCause::task_error, ErrorCode::task, other.what(), {}};
  } catch (...) {
    return {FailureCause::task_error, ErrorCode::task, "something that is no exception", {}};
  }
}

}  // namespace muster::jobs
