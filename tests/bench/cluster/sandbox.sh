#!/usr/bin/env bash
# What the sandbox of task processes costs: calls and jobs with it and without it, in turns.
#
#   tests/bench/cluster/sandbox.sh BUILD_DIR [RUNS=5]
#
# Prints the median of each figure. first_ms is a program's start: a new client, a program that the
# worker has and does not run. job_ms is a job of one small file with 64 partitions, each of which
# takes a process of its own in the sandbox.
set -euo pipefail
build_dir=${1:?usage: $0 BUILD_DIR [RUNS=5]}
runs=${2:-5}
bin=$build_dir/bin
scratch=$(mktemp -d)
mkdir "$scratch/keys"
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT
"$bin/muster-make-text" 100000 >"$scratch/text"

await() {  # FILE PATTERN
  for _ in $(seq 200); do
    grep -o "$2" "$1" 2>/dev/null | head -n 1 | grep . && return
    sleep 0.05  # bounded poll
  done
  return 1
}

measure() {  # MODE
  local here=$scratch/$1 begin coordinator address
  rm -rf "$here"
  mkdir "$here"
  "$bin/muster-coordinator" --bind 'tcp://127.0.0.1:*' --state "$here/state" \
    2>"$here/coordinator.log" &
  coordinator=$!
  address=$(await "$here/coordinator.log" 'tcp://[0-9.:]*')
  "$bin/muster-worker" --coordinator "$address" --slots 2 --cache "$here/cache" \
    --sandbox "$1" --sandbox-hide "$scratch/keys" 2>"$here/worker.log" &
  local worker=$!
  await "$here/worker.log" 'has joined' >/dev/null
  "$bin/muster-cluster-bench" "$address" "$coordinator" >/dev/null  # sends the program
  kill "$worker"
  wait "$worker" || true
  "$bin/muster-worker" --coordinator "$address" --slots 2 --cache "$here/cache" \
    --sandbox "$1" --sandbox-hide "$scratch/keys" 2>"$here/again.log" &
  worker=$!
  await "$here/again.log" 'has joined' >/dev/null
  "$bin/muster-cluster-bench" "$address" "$coordinator" | sed "s/^/$1 /"
  for _ in 1 2 3; do
    begin=$(date +%s%N)
    "$bin/muster" run wordcount "$scratch/text" --quiet --partitions 64 --coordinator "$address" \
      --overwrite -o "$here/out"
    echo "$1 job_ms $((($(date +%s%N) - begin) / 1000000))"
  done
  kill "$worker" "$coordinator"
  wait "$worker" "$coordinator" || true
}

for _ in $(seq "$runs"); do
  measure off
  measure best-effort
done >"$scratch/figures"
sort -k2,2 -k1,1 -k3,3n "$scratch/figures" | awk '
  function flush() { if (n) printf "%-38s %12s   (%s to %s)\n", name, value[int((n + 1) / 2)],
                                   value[1], value[n] }
  $2 " " $1 != name { flush(); name = $2 " " $1; n = 0 }
  { value[++n] = $3 }
  END { flush() }'
