#!/usr/bin/env bash
# Word count with 1, 2, 4, ... workers of one slot on this machine, and with as many processes of
# the local pool, in turns.
#
#   tests/bench/cluster/scaling.sh BUILD_DIR [BYTES=4000000000] [RUNS=3]
#
# Prints a line for each number: the medians and how many times as fast as one that is.
set -euo pipefail
build_dir=${1:?usage: $0 BUILD_DIR [BYTES=4000000000] [RUNS=3]}
bytes=${2:-4000000000}
runs=${3:-3}
bin=$build_dir/bin
. "$(dirname "$0")/local_cluster.sh"

echo "date      $(date -u +%Y-%m-%dT%H:%MZ)"
echo "machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
"$bin/muster-make-text" "$bytes" >"$scratch/text"
start_coordinator
count() {  # NAME ARGUMENT...
  local name=$1 begin
  shift
  begin=$(date +%s%N)
  "$bin/muster" run wordcount "$scratch/text" --quiet --overwrite -o "$scratch/out" "$@"
  echo "$name $((($(date +%s%N) - begin) / 1000000))" >>"$scratch/figures"
}
workers=0
for ((wanted = 1; wanted <= $(nproc); wanted *= 2)); do
  while ((workers < wanted)); do
    start_worker "w$workers"
    workers=$((workers + 1))
  done
  for _ in $(seq 200); do
    "$bin/muster" workers --coordinator "$address" >"$scratch/workers"
    (($(grep -c open "$scratch/workers") == wanted)) && break
    sleep 0.05  # bounded poll
  done
  for _ in $(seq "$runs"); do
    count "$wanted pool" -j "$wanted"
    count "$wanted cluster" --coordinator "$address"
  done
done
sort -k1,1n -k2,2 -k3,3n "$scratch/figures" | awk '
  $1 " " $2 != key { key = $1 " " $2; n = 0; if (!seen[$1]++) order[++sizes] = $1 }
  { value[key, ++n] = $3; median[key] = value[key, int((n + 1) / 2)] }
  END {
    print "workers  pool ms  times  cluster ms  times"
    for (i = 1; i <= sizes; ++i) {
      pool = median[order[i] " pool"]; cluster = median[order[i] " cluster"]
      printf "%7d  %7d  %5.2f  %10d  %5.2f\n", order[i], pool, median["1 pool"] / pool, cluster,
             median["1 cluster"] / cluster
    }
  }'
