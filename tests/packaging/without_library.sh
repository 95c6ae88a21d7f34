#!/usr/bin/env bash
# without_library.sh PREFIX SCRATCH: plugins can be built where the library's own dependencies are
# not installed; whoever asks for the library there is told what is missing.
set -euo pipefail
prefix=$1 scratch=$2
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

project() {  # project NAME LINE...: a project that finds Muster, then does what the lines say
  mkdir "$1"
  printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' "project($1 LANGUAGES CXX)" "${@:2}" \
    >"$1/CMakeLists.txt"
  printf '#include <muster/plugin.hpp>\nMUSTER_PLUGIN(empty, "1", tasks) { (void)tasks; }\n' \
    >"$1/plugin.cpp"
}
configure() {  # configure NAME: with fmt and cereal hidden
  cmake -S "$1" -B "$1/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_DISABLE_FIND_PACKAGE_fmt=ON -DCMAKE_DISABLE_FIND_PACKAGE_cereal=ON >"$1/log" 2>&1
}
accept() {
  if ! configure "$1"; then fail "$1" 'was refused'; fi
}
refuse() {
  if configure "$1"; then fail "$1" 'was accepted'; fi
}
expect() {  # expect NAME TEXT: in the log, however its lines are wrapped
  if [[ $(tr -s ' \n' ' ' <"$1/log") != *"$2"* ]]; then fail "$1" "did not say: $2"; fi
}
fail() {
  cat "$1/log"
  echo "project '$1' $2"
  exit 1
}

project plain 'find_package(muster 1 CONFIG REQUIRED)' 'muster_add_plugin(plain SOURCES plugin.cpp)'
accept plain
cmake --build plain/build
expect plain 'muster: only muster::sdk;'
expect plain 'fmt (Debian: libfmt-dev), cereal (Debian: libcereal-dev)'

project sdk 'find_package(muster 1 CONFIG REQUIRED COMPONENTS sdk)' 'if(TARGET muster::muster)' \
  'message(FATAL_ERROR "not asked for")' 'endif()'
accept sdk
if grep 'muster:' sdk/log; then exit 1; fi

project library 'find_package(muster 1 CONFIG REQUIRED COMPONENTS library)'
refuse library
expect library 'muster::muster needs what was not found: fmt (Debian: libfmt-dev)'

project newer 'find_package(muster 2 CONFIG REQUIRED)'
refuse newer
expect newer 'compatible with requested version "2"'

project unknown 'find_package(muster 1 CONFIG REQUIRED COMPONENTS moon)'
refuse unknown
expect unknown "no component 'moon': there are sdk, library, cluster"
