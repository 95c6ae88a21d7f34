#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/freed_memory.hpp>
#include <muster/cli/commands.hpp>
#include <muster/cli/exit_code.hpp>
#include <muster/cli/streams.hpp>
#include <muster/executors/init.hpp>

int main(int argc, char** argv) {
  try {
    muster::cli::open_missing_streams();
    muster::raise_open_files_limit();
    muster::keep_freed_memory();
    muster::init();  // first: attempts of jobs run in forks of this process, which has no threads
  } catch (const muster::Error& error) {
    muster::cli::print_error(error);
    return static_cast<int>(muster::cli::ExitCode::job_failed);
  }
  return muster::cli::worker_main({argv + 1, argv + argc});
}
