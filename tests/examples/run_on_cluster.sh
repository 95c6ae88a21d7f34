#!/usr/bin/env bash
# run_on_cluster.sh BIN PROGRAM EXPECTED [ARGUMENT...]: README's cluster on one machine runs the
# program, which prints what it should (with blanks for tabs); then all of it ends when it is told.
set -euo pipefail
bin=$1 program=$2 expected=$3
shift 3
scratch=$(mktemp -d)
export XDG_STATE_HOME=$scratch/state XDG_CACHE_HOME=$scratch/cache
pids=()
end() {
  kill "${pids[@]}" 2>/dev/null || true
  wait
  rm -rf "$scratch"
}
trap end EXIT
"$bin/muster-coordinator" --bind 'tcp://127.0.0.1:*' 2>"$scratch/coordinator.log" &
pids+=($!)
for _ in $(seq 200); do
  address=$(grep -o 'tcp://[0-9.:]*' "$scratch/coordinator.log" || true)
  [[ -n $address ]] && break
  sleep 0.05  # bounded poll
done
"$bin/muster-worker" --coordinator "$address" 2>"$scratch/worker.log" &
pids+=($!)
"$program" "$address" "$@" | tr '\t' ' ' | diff "$expected" -
kill "${pids[1]}"
wait "${pids[1]}"
kill "${pids[0]}"
wait "${pids[0]}"
