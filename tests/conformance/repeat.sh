#!/bin/sh
# What races in futures and executors many times over, then all of it on one CPU.
# usage: tests/conformance/repeat.sh BUILD_DIR [N]     N: how often, 200 if not given
set -eu

build=${1:?usage: $0 BUILD_DIR [N]}
repetitions=${2:-200}
racy='*Racy*:*Race*:*Cancel*:*Wakeup*:*Snapshots*:*Shutdown*:*Kill*:*Stopped*:*Backlog*'
racy="$racy:*ForcedEnd*:*Many*:NestedWait.*:WaitingTest.*"
slow='*ManyThreadsWaitForTheirOwn*:*TenThousand*:*MayComeWhile*'

for program in futures_contract unit_executors unit_patterns unit_patterns_decorators; do
  [ -x "$build/tests/$program" ] && continue
  echo "$build/tests/$program is missing: build it" >&2
  exit 2
done
for program in futures_contract unit_executors unit_patterns_decorators; do
  echo "== $program, $repetitions times"
  "$build/tests/$program" --gtest_brief=1 --gtest_filter="$racy:-$slow" \
    --gtest_repeat="$repetitions" --gtest_break_on_failure >/dev/null
done
for program in futures_contract unit_executors unit_patterns unit_patterns_decorators; do
  echo "== $program, on one CPU"
  taskset -c 0 "$build/tests/$program" --gtest_brief=1 >/dev/null
done
echo "all passed"
