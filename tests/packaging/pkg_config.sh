#!/usr/bin/env bash
# pkg_config.sh SOURCE PREFIX SCRATCH: the consumer project without CMake.
set -euo pipefail
source=$1 prefix=$2 scratch=$3
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

flags() { pkg-config "$@"; }
# shellcheck disable=SC2046  # flags are words
"$CXX" -std=c++20 -O1 "$source/run_initials.cpp" $(flags --cflags --libs muster) -o run_initials
# shellcheck disable=SC2046
"$CXX" -std=c++20 -O1 -fPIC -shared -Wl,-z,defs "$source/initials.cpp" \
  $(flags --cflags --libs muster-sdk) -o initials.so
# shellcheck disable=SC2046
"$CXX" -std=c++20 -O1 "$source/pools.cpp" $(flags --cflags --libs muster) -o pools
./pools | grep -q '^sum.12$'
./run_initials ./initials.so "$source/sample.txt" >result
diff <(printf 'a\t2\nb\t1\nw\t3\n') result
[[ $(flags --modversion muster) == "$("$prefix/bin/muster" --version | grep -o '[0-9][0-9.]*')" ]]
