// Futures on a cluster: cluster ADDRESS [KEY-FILE].
#include <cstdio>
#include <numeric>
#include <vector>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

int square(int x) { return x * x; }

int main(int argc, char** argv) {
  muster::init();  // first: workers start this program, too, and get no further than here
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s tcp://HOST:7600 [KEY-FILE]\n", argv[0]);
    return 2;
  }
  try {
    muster::ClusterOptions options;
    if (argc > 2) options.keys = argv[2];
    muster::ClusterExecutor cluster(argv[1], options);
    std::vector<int> inputs(1000);
    std::iota(inputs.begin(), inputs.end(), 0);
    long sum = 0;
    for (int x : cluster.map(square, inputs)) sum += x;
    std::printf("the squares of 0 to 999 have the sum %ld\n", sum);
  } catch (const muster::Error& error) {
    std::fprintf(stderr, "error: %s\n%s\n", error.what(), error.hint().c_str());
    return 1;
  }
}
