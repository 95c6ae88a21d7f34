#!/usr/bin/env bash
# debian.sh BUILD SCRATCH: the packages hold what they should, and say what they need.
set -euo pipefail
build=$1 scratch=$2
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"
cpack --config "$build/CPackConfig.cmake" -G DEB -B "$scratch"
ls -1

has() {  # has PACKAGE PATH...
  dpkg-deb -c "$1"_*.deb | awk '{ print $6 }' >"$1.list"
  for path in "${@:2}"; do
    grep -qx "./usr/$path" "$1.list" || { echo "$1: no $path"; exit 1; }
  done
}
has_none() { if grep -E "$2" "$1.list"; then exit 1; fi; }

has muster bin/muster bin/muster-coordinator bin/muster-worker lib/muster/plugins/wordcount.so \
  lib/muster/plugins/grep.so
has_none muster 'include|\.a$|cmake'
has muster-dev include/muster/plugin.hpp include/muster/plugin/abi.h lib/libmuster.a \
  lib/libmuster_cluster.a include/muster/cluster/client/cluster_executor.hpp \
  lib/cmake/muster/musterConfig.cmake lib/cmake/muster/MusterAddPlugin.cmake \
  lib/pkgconfig/muster.pc
has_none muster-dev 'bin/|plugins/'

depends() { dpkg-deb -f "$1"_*.deb Depends; }
depends muster | grep libfmt
if depends muster | grep -e -dev; then exit 1; fi
[[ $(depends muster-dev) == "muster (= $(dpkg-deb -f muster_*.deb Version))" ]]

# The program runs from where the package puts it.
dpkg-deb -x muster_*.deb root
printf 'b a b\n' | root/usr/bin/muster run wordcount - --quiet | diff <(printf 'a\t1\nb\t2\n') -
