#!/usr/bin/env bash
# run.sh PROGRAM EXPECTED: the program ends with 0 and prints the lines of EXPECTED, in any order:
# threads decide which comes first.
set -euo pipefail
printed=$("$1")
diff <(sort "$2") <(sort <<<"$printed")
