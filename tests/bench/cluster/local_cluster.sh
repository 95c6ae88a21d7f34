# Sourced by scripts that measure a coordinator and workers on this machine. The script has set
# `bin`, where the programs are. What it starts here ends with it, and $scratch goes.

scratch=$(mktemp -d)
pids=()  # the coordinator's is the first
end_cluster() {
  kill "${pids[@]}" 2>/dev/null || true
  wait
  rm -rf "$scratch"
}
trap end_cluster EXIT

start_coordinator() {  # sets `address`
  "$bin/muster-coordinator" --bind 'tcp://127.0.0.1:*' --state "$scratch/state" \
    --address-file "$scratch/address" 2>"$scratch/coordinator.log" &
  pids+=($!)
  for _ in $(seq 200); do
    [[ -s $scratch/address ]] && break
    sleep 0.05  # bounded poll
  done
  address=$(<"$scratch/address")
}

start_worker() {  # NAME [OPTION...]: one slot, files of jobs in $scratch
  local name=$1
  shift
  "$bin/muster-worker" --coordinator "$address" --slots 1 --name "$name" --cache "$scratch/cache" \
    --scratch "$scratch" "$@" 2>"$scratch/$name.log" &
  pids+=($!)
}
