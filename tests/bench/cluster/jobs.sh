#!/usr/bin/env bash
# Word count through a coordinator and two workers of one slot, against the local pool, in turns.
#
#   tests/bench/cluster/jobs.sh BUILD_DIR [BYTES=1000000000] [RUNS=5]
#
# Prints the median of each and their ratio; both results have to be the same.
set -euo pipefail
build_dir=${1:?usage: $0 BUILD_DIR [BYTES=1000000000] [RUNS=5]}
bytes=${2:-1000000000}
runs=${3:-5}
bin=$build_dir/bin
. "$(dirname "$0")/local_cluster.sh"

"$bin/muster-make-text" "$bytes" >"$scratch/text"
start_coordinator
for name in a b; do start_worker "$name"; done
count() {  # NAME ARGUMENT...
  local name=$1 begin
  shift
  begin=$(date +%s%N)
  "$bin/muster" run wordcount "$scratch/text" --quiet --overwrite -o "$scratch/$name" "$@"
  echo "$name $((($(date +%s%N) - begin) / 1000000))" >>"$scratch/figures"
}
for _ in $(seq "$runs"); do
  count pool -j 2
  count cluster --coordinator "$address"
done
cmp <(LC_ALL=C sort "$scratch"/pool/part-*) <(LC_ALL=C sort "$scratch"/cluster/part-*)
sort -k1,1 -k2,2n "$scratch/figures" | awk '
  $1 != name { name = $1; n = 0 }
  { value[name, ++n] = $2; median[name] = value[name, int((n + 1) / 2)] }
  END { printf "pool_ms %d\ncluster_ms %d\nratio %.2f\n", median["pool"], median["cluster"],
               median["cluster"] / median["pool"] }'
