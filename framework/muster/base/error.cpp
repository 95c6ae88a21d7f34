#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>

namespace muster {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::usage:
      return "usage";
    case ErrorCode::io:
      return "io";
    case ErrorCode::no_space:
      return "no_space";
    case ErrorCode::input_changed:
      return "input_changed";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::plugin:
      return "plugin";
    case ErrorCode::task:
      return "task";
    case ErrorCode::worker_died:
      return "worker_died";
    case ErrorCode::limit:
      return "limit";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::broken:
      return "broken";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
  }
  return "unknown";
}

Error system_error(int errnum, std::string_view what) {
  const bool full = errnum == ENOSPC || errnum == EDQUOT;
  return Error(full ? ErrorCode::no_space : ErrorCode::io,
               std::string(what) + ": " + std::generic_category().message(errnum),
               full ? "make room there, or use another file system" : "");
}

void assert_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "muster: invariant broken: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace muster
