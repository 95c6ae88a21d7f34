#!/usr/bin/env bash
# Holds `muster run wordcount` against a tight single-purpose counter and against tr | mawk.
#
#   tests/bench/wordcount/run.sh BUILD_DIR [BYTES=1000000000] [RUNS=5]
#
# BUILD_DIR/bin must hold muster-make-text and muster-wordcount-floor. The text goes to
# ${TMPDIR:-/tmp} and stays there for the next time.
set -euo pipefail

if [[ $# -lt 1 || $# -gt 3 ]]; then
  echo "usage: $0 BUILD_DIR [BYTES=1000000000] [RUNS=5]" >&2
  exit 2
fi
build_dir=$1
bytes=${2:-1000000000}
runs=${3:-5}
seed=1
here=$(cd "$(dirname "$0")" && pwd)
tmp=${TMPDIR:-/tmp}

make_text() {
  local size=$1 file=$2
  [[ -f $file ]] && return
  # Under another name until it is whole, so that an interrupted run leaves no short text.
  "$build_dir/bin/muster-make-text" "$size" --seed "$seed" >"$file.partial"
  mv "$file.partial" "$file"
}

text=$tmp/muster-text-$bytes-$seed.txt
small_text=$tmp/muster-text-1024-$seed.txt
make_text "$bytes" "$text"
make_text 1024 "$small_text"

cache=$build_dir/CMakeCache.txt
compiler=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$cache" 2>/dev/null || true)
compiler=$("${compiler:-c++}" --version | head -n 1)
echo "date      $(date -u +%Y-%m-%dT%H:%MZ)"
echo "machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
echo "kernel    $(uname -sr)"
echo "compiler  $compiler"
echo "text      $bytes bytes, seed $seed"
exec python3 "$here/measure.py" "$build_dir/bin" "$text" "$small_text" "$runs"
