#include <cstdio>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include <muster/muster.hpp>

namespace {

class Silent final : public muster::observe::JobObserver {
 public:
  void planned(const muster::observe::JobPlanned&) override {}
  void progress(const muster::observe::StageProgress&) override {}
  void attempt_failed(const muster::observe::AttemptFailed& failure) override {
    std::fprintf(stderr, "attempt failed: %s\n", failure.message.c_str());
  }
};

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace

// run_initials PLUGIN.so FILE: prints the result of the plugin's task over the file.
int main(int argc, char** argv) {
  try {
    muster::init();
    if (argc != 3) throw muster::Error(muster::ErrorCode::usage, "run_initials PLUGIN.so FILE");
    muster::jobs::JobSpec spec;
    spec.task = argv[1];
    spec.inputs = {argv[2]};
    spec.temp_parent = std::filesystem::temp_directory_path();
    muster::ProcessPoolExecutor pool({.max_workers = 2, .prefetch = 0});
    Silent observer;
    muster::jobs::LocalJobs(pool, observer, std::stop_token()).run(spec, print);
    return 0;
  } catch (const muster::Error& error) {
    std::fprintf(stderr, "run_initials: %s\n", error.what());
    return 1;
  }
}
