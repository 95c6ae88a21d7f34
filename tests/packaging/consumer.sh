#!/usr/bin/env bash
# consumer.sh SOURCE PREFIX SCRATCH: builds, tests, runs and installs the consumer project in SOURCE
# against the package in PREFIX, an installation or a build tree.
set -euo pipefail
source=$1 prefix=$2 scratch=$3
rm -rf "$scratch"

cmake -S "$source" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix"
grep -q "^muster_DIR:PATH=$prefix/lib" "$scratch/build/CMakeCache.txt"
cmake --build "$scratch/build"
ctest --test-dir "$scratch/build" --output-on-failure --no-tests=error

# Its plugin, installed to a place of its own, is found there by name.
cmake --install "$scratch/build" --prefix "$scratch/prefix"
export MUSTER_PLUGIN_PATH=$scratch/prefix/lib/muster/plugins
"$prefix/bin/muster" run initials "$source/sample.txt" --quiet >"$scratch/result"
diff <(printf 'a\t2\nb\t1\nw\t3\n') "$scratch/result"
"$prefix/bin/muster" plugin list | grep '^wordcount '  # and Muster's own still is, too
