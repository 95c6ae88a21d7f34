#include <muster/base/error.hpp>
#include <muster/executors/executor.hpp>

namespace muster {

bool Executor::drain(std::optional<Duration> /*timeout*/) {
  throw Error(ErrorCode::usage, "this executor cannot tell when it has nothing to do",
              "wait for the futures of its tasks");
}

}  // namespace muster
