#include <cstring>

#include <muster/base/error.hpp>
#include <muster/executors/processes/raw_task.hpp>

namespace muster::detail {
namespace {

void run(TaskContext& context, std::string_view call, ResultSink& result) {
  TaskFunction function = nullptr;
  std::memcpy(&function, call.data(), sizeof(function));
  result.send(function(context, call.substr(sizeof(function))));
}

}  // namespace

void RawTask::invoke() noexcept {
  refuse(std::make_exception_ptr(
      Error(ErrorCode::usage, "a raw task was given to an executor that has no processes")));
}

const RemoteCall& RawTask::remote() const noexcept {
  static constexpr RemoteCall description{&run, nullptr, false, false};
  return description;
}

void RawTask::encode(EncodedCall& out) const {
  out.bytes().append(reinterpret_cast<const char*>(&function_), sizeof(function_));
  out.borrow(argument_);
}

std::shared_ptr<WorkControl> RawTask::control() noexcept {
  TaskHome* const here = home.load(std::memory_order_acquire);
  return here != nullptr ? here->control() : nullptr;
}

}  // namespace muster::detail
