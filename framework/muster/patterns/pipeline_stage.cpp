#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/patterns/pipeline_stage.hpp>

namespace muster::detail {
namespace {

std::size_t positive(int given, const std::string& stage, const char* name) {
  if (given > 0) return static_cast<std::size_t>(given);
  throw Error(ErrorCode::usage, fmt::format("pipeline: the {} of {} is {}", name, stage, given),
              fmt::format("give a {} of at least 1, or none", name));
}

std::string title(std::size_t number, const std::string& name) {
  if (name == fmt::format("stage {}", number)) return name;
  return fmt::format("stage {}, '{}'", number, name);
}

class RefusedError : public Error, public std::nested_exception {
  using Error::Error;
};

}  // namespace

PipelineStage::PipelineStage(Executor& executor, std::size_t number, StageOptions options)
    : executor_(&executor),
      number_(number),
      name_(options.name.empty() ? fmt::format("stage {}", number) : std::move(options.name)),
      concurrency_(positive(options.concurrency.value_or(static_cast<int>(executor.max_workers())),
                            title(number_, name_), "concurrency")),
      queue_max_(positive(options.queue_max.value_or(static_cast<int>(concurrency_)),
                          title(number_, name_), "queue_max")) {}

std::exception_ptr PipelineStage::cancelled_error() const {
  return std::make_exception_ptr(CancelledError(
      fmt::format("pipeline: the executor of {} cancelled its task", title(number_, name_))));
}

std::exception_ptr PipelineStage::refused_error() const {
  const auto message = [this](const char* what) {
    return fmt::format("pipeline: the executor of {} takes no task: {}", title(number_, name_),
                       what);
  };
  const char* const hint = "keep the executors of all stages open until the last result is there";
  // Made while the exception is being handled, so it nests that.
  try {
    throw;
  } catch (const Error& error) {
    return std::make_exception_ptr(RefusedError(error.code(), message(error.what()), hint));
  } catch (const std::exception& error) {
    return std::make_exception_ptr(RefusedError(ErrorCode::broken, message(error.what()), hint));
  } catch (...) {
    return std::make_exception_ptr(RefusedError(ErrorCode::broken, message("unknown"), hint));
  }
}

}  // namespace muster::detail
