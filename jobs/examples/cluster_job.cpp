// A map-reduce job on a cluster, chunk by chunk: cluster_job ADDRESS TASK FILE...
#include <cstdio>
#include <string_view>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

int main(int argc, char** argv) {
  muster::init();  // first: workers start this program, too, and get no further than here
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s tcp://HOST:7600 TASK FILE...\n", argv[0]);
    return 2;
  }
  try {
    muster::ClusterExecutor cluster(argv[1]);
    muster::jobs::JobSpec spec{.task = argv[2], .inputs = {argv + 3, argv + argc}};
    muster::JobHandle job = cluster.run(spec);
    std::size_t done = 0;
    for (auto& chunk : muster::as_completed(job.chunks())) {
      const auto& [stage, number, attempts, worker] = chunk.result();
      std::fprintf(stderr, "%s %u on %s\n", stage.c_str(), number, worker.c_str());
      ++done;
    }
    std::printf("%zu chunks\n", done);
    job.read([](std::string_view lines) { std::printf("%.*s", int(lines.size()), lines.data()); });
  } catch (const muster::Error& error) {
    std::fprintf(stderr, "error: %s\n%s\n", error.what(), error.hint().c_str());
    return 1;
  }
}
