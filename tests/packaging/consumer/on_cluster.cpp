// Links all that a client of a cluster needs, and is told that there is none.
#include <chrono>
#include <cstdio>

#include <muster/cluster/client/cluster_executor.hpp>
#include <muster/muster.hpp>

int main() {
  muster::init();
  try {
    muster::ClusterExecutor cluster("tcp://127.0.0.1:1",
                                    {.connect_within = std::chrono::milliseconds(100)});
    return cluster.submit([] { return 0; }).result();
  } catch (const muster::Error& error) {
    std::printf("%s\n", error.what());
    return 0;
  }
}
