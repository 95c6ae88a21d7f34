#include <muster/base/file.hpp>
#include <muster/cli/commands.hpp>
#include <muster/cli/streams.hpp>

int main(int argc, char** argv) {
  muster::cli::open_missing_streams();
  muster::raise_open_files_limit();
  return muster::cli::coordinator_main({argv + 1, argv + argc});
}
