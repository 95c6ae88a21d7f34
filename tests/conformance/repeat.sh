#!/bin/sh
# What races in futures and executors many times over, then all of it on one CPU.
# usage: tests/conformance/repeat.sh BUILD_DIR [N]     N: how often, 200 if not given
set -eu

build=${1:?usage: $0 BUILD_DIR [N]}
repetitions=${2:-200}
racy='*Racy*:*Race*:*Cancel*:*Wakeup*:*Snapshots*:*Shutdown*:*Kill*:*Stopped*:*Backlog*'
racy="$racy:*ForcedEnd*:*Many*:NestedWait.*:WaitingTest.*"
# Those that are long, or race for seconds by themselves, run once.
slow='*ManyThreadsWaitForTheirOwn*:*TenThousand*:*MayComeWhile*:*RandomKills*:MemoryKillTest.*'
slow="$slow:*ATimeoutGives*:*AMapsTimeout*:*AStoppedOneIsKilledInTime*:*EndsAStoppedProcessToo*"

for program in futures_contract unit_executors unit_patterns unit_patterns_decorators; do
  [ -x "$build/tests/$program" ] && continue
  echo "$build/tests/$program is missing: build it" >&2
  exit 2
done
output=$(mktemp)
trap 'rm -f "$output"' EXIT
run() {
  "$@" >"$output" 2>&1 && return
  tail -n 60 "$output" >&2
  exit 1
}

for program in futures_contract unit_executors unit_patterns_decorators; do
  echo "== $program, $repetitions times"
  run "$build/tests/$program" --gtest_brief=1 --gtest_filter="$racy:-$slow" \
    --gtest_repeat="$repetitions" --gtest_break_on_failure
done
for program in futures_contract unit_executors unit_patterns unit_patterns_decorators; do
  echo "== $program, on one CPU"
  run taskset -c 0 "$build/tests/$program" --gtest_brief=1
done
echo "all passed"
