#!/bin/sh
# The racy part of the futures contract many times over, then the whole of it on one CPU.
# usage: tests/conformance/repeat.sh BUILD_DIR [N]     N: how often, 200 if not given
set -eu

build=${1:?usage: $0 BUILD_DIR [N]}
repetitions=${2:-200}
suite=$build/tests/futures_contract
[ -x "$suite" ] || { echo "$suite is missing: build the target futures_contract" >&2; exit 2; }

racy='*Racy*:*Cancel*:*Wakeup*:*Snapshots*:*Shutdown*:*Kill*:*Stopped*:*Backlog*:*ForcedEnd*'
"$suite" --gtest_brief=1 --gtest_filter="$racy" --gtest_repeat="$repetitions"
taskset -c 0 "$suite" --gtest_brief=1
