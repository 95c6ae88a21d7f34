#!/usr/bin/env bash
# What a cluster costs: a coordinator and two workers of one slot on this machine.
#
#   tests/bench/cluster/run.sh BUILD_DIR [RUNS=5]
#
# Prints the median of each figure, with the floor and, where python3-distributed is installed, Dask
# in the same run.
set -euo pipefail
build_dir=${1:?usage: $0 BUILD_DIR [RUNS=5]}
runs=${2:-5}
here=$(cd "$(dirname "$0")" && pwd)
bin=$build_dir/bin
. "$(dirname "$0")/local_cluster.sh"

echo "date      $(date -u +%Y-%m-%dT%H:%MZ)"
echo "machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
echo "load      $(cut -d' ' -f1-3 /proc/loadavg)"
start_coordinator
for name in a b; do start_worker "$name"; done
for _ in $(seq "$runs"); do
  "$bin/muster-cluster-floor"
  "$bin/muster-cluster-bench" "$address" "${pids[0]}"
  if /usr/bin/python3 -c 'import distributed' 2>/dev/null; then
    /usr/bin/python3 "$here/peers.py" 2>/dev/null
  fi
done >"$scratch/figures"
sort -k1,1 -k2,2n "$scratch/figures" | awk '
  function flush() {
    if (!n) return
    median = value[int((n + 1) / 2)]
    printf "%-26s %12s   (%s to %s, %d runs)\n", name, median, value[1], value[n], n
  }
  $1 != name { flush(); name = $1; n = 0 }
  { value[++n] = $2 }
  END { flush() }'
