#!/usr/bin/env bash
# Holds the thread pool and the process pool against other libraries and single-purpose code.
#
#   tests/bench/executors/run.sh BUILD_DIR [RUNS=5]
#
# BUILD_DIR/bin must hold muster-thread-pool-bench and muster-process-pool-bench. Prints one table;
# takes about half a minute a run. PYTHON names the Python that is measured and runs the script;
# by default it is Debian's, which has the packages of scripts/setup.
set -euo pipefail

if [[ $# -lt 1 || $# -gt 2 ]]; then
  echo "usage: $0 BUILD_DIR [RUNS=5]" >&2
  exit 2
fi
build_dir=$1
runs=${2:-5}
python=${PYTHON:-/usr/bin/python3}
here=$(cd "$(dirname "$0")" && pwd)

cache=$build_dir/CMakeCache.txt
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$cache" 2>/dev/null || true)
compiler=$("${compiler:-c++}" --version | head -n 1)
echo "date      $(date -u +%Y-%m-%dT%H:%MZ)"
echo "machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
echo "load      $(cut -d' ' -f1-3 /proc/loadavg)"
echo "kernel    $(uname -sr)"
echo "compiler  $compiler"
echo "python    $("$python" --version)"
echo "runs      $runs"
exec "$python" "$here/measure.py" "$build_dir/bin" "$runs"
