#!/usr/bin/env bash
# plugin_new.sh PREFIX SCRATCH: `muster plugin new`, then the very commands that it prints.
set -euo pipefail
prefix=$1 scratch=$2
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

"$prefix/bin/muster" plugin new longest_line | tee printed
sed -n 's/^  //p' printed >commands
[[ $(wc -l <commands) -eq 3 ]]
bash -euo pipefail -x commands | tee ran

grep -q '^100% tests passed, 0 tests failed out of 1' ran
# What the last command printed: the job's result.
diff <(printf '%s\t%s\n' A 39 a 37 m 19) <(grep -P '^[A-Za-z]\t' ran)
"$prefix/bin/muster" plugin check longest_line/build/plugins/longest_line.so
