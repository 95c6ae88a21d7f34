#include <optional>
#include <string>

#include <muster/base/error.hpp>
#include <muster/cluster/task_death.hpp>
#include <muster/cluster/worker/program_task.hpp>
#include <muster/executors/error_codec.hpp>
#include <muster/executors/errors.hpp>
#include <muster/futures/errors.hpp>

namespace muster::cluster {
namespace {

struct Withdrawn {
  wire::EndKind kind = wire::EndKind::returned;
};

wire::EndKind kind_of(const WorkerDeath& death) {
  if (death.out_of_memory) return wire::EndKind::out_of_memory;
  return death.own_doing() ? wire::EndKind::crashed : wire::EndKind::killed;
}

Bytes describe(const std::exception_ptr& error) noexcept {
  auto rethrow = [&] { std::rethrow_exception(error); };
  return detail::encode_error_of(rethrow).value_or(Bytes());
}

}  // namespace

// One for each kind, and never destroyed: a worker may be a static object.
std::exception_ptr withdrawn_as(wire::EndKind kind) {
  struct All {
    std::exception_ptr returned = std::make_exception_ptr(Withdrawn{wire::EndKind::returned});
    std::exception_ptr cancelled = std::make_exception_ptr(Withdrawn{wire::EndKind::cancelled});
    std::exception_ptr lost = std::make_exception_ptr(Withdrawn{wire::EndKind::worker_lost});
  };
  static const All* const all = new All;
  if (kind == wire::EndKind::returned) return all->returned;
  return kind == wire::EndKind::cancelled ? all->cancelled : all->lost;
}

void ProgramTask::invoke() noexcept {
  refuse(std::make_exception_ptr(
      Error(ErrorCode::usage, "a program's call was given to an executor without its processes")));
}

void ProgramTask::refuse(std::exception_ptr error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const Withdrawn& withdrawn) {
    set_end(withdrawn.kind, {});
  } catch (const WorkerDiedError& died) {
    set_end(kind_of(died.death()), cluster::encode(died.death()));
  } catch (const DeadlineError& late) {
    set_end(wire::EndKind::overdue, late.what());
  } catch (const Error& broken) {
    if (broken.code() == ErrorCode::broken) {
      set_end(wire::EndKind::worker_lost, broken.what());
    } else {
      set_end(wire::EndKind::error, describe(error));
    }
  } catch (...) {
    set_end(wire::EndKind::error, describe(error));
  }
}

void ProgramTask::set_end(wire::EndKind kind, Bytes&& bytes) noexcept {
  end_.kind = kind;
  end_.bytes = std::move(bytes);
  call_ = {};
  emplace_value([&] { return wire::CallEnd{end_.number, kind, {}}; });
}

detail::DoneCallbacks ProgramTask::complete_and_drop() noexcept {
  sink_.ended(generation_, std::move(end_));
  return SharedStateBase::complete_and_drop();
}

std::shared_ptr<WorkControl> ProgramTask::control() noexcept {
  detail::TaskHome* const here = home.load(std::memory_order_acquire);
  return here != nullptr ? here->control() : nullptr;
}

}  // namespace muster::cluster
