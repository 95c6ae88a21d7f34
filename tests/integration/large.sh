#!/bin/bash
# Compares `muster run wordcount` with the core utilities on input that is too large for the test
# suite. Takes minutes, and about 4 GB of disk in $TMPDIR (or /tmp).
#
#   tests/integration/large.sh BUILD_DIR [BYTES]      BYTES: 1000000000 unless given
#
# 1. BYTES of text with a Zipf distribution (from BUILD_DIR/bin/muster-make-text, or from awk where
#    that was not built), for -j 1, 2, 8 and several chunk sizes and partition counts, with and
#    without -o.
# 2. The same again while ten task processes are killed. A process is stopped first; it is killed
#    only if it has the file of an attempt open just then, and continued otherwise. So every kill
#    hits a running attempt, and the summary has to count exactly as many retries as there were
#    kills. Ten hits are needed: a run that is over sooner is repeated, for the hits still missing.
# 3. All plain text files (those without a NUL byte) below /usr/share/doc.
set -euo pipefail
export LC_ALL=C

build=$(realpath "${1:?usage: large.sh BUILD_DIR [BYTES]}")
bytes=${2:-1000000000}
muster=$build/bin/muster
[[ -x $muster ]] || { echo "large.sh: no $muster; build it first" >&2; exit 2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/large-XXXXXX")
mkdir "$work/tmp"
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work/tmp
cd "$work"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

make_text() {
  if [[ -x $build/bin/muster-make-text ]]; then
    "$build/bin/muster-make-text" "$bytes" --seed 1
    return
  fi
  awk -v bytes="$bytes" 'BEGIN {
    srand(1)
    while (size < bytes) {
      rank = int(exp(rand() * 13))
      word = sprintf("%s%x", rank % 3 ? "w" : "The", (rank * 40503) % 16777213)
      size += length(word) + 1
      printf "%s%s", word, rand() < 0.1 ? "\n" : " "
    }
  }'
}

# What wordcount prints for the text on standard input.
count_tokens() {
  tr -s '[:space:]' '\n' | sed '/^$/d' | sort -S 1G | uniq -c |
    sed -E 's/^ *([0-9]+) (.*)$/\2\t\1/'
}

count_lower_letters() {
  tr -cs A-Za-z '\n' | tr A-Z a-z | sed '/^$/d' | sort -S 1G | uniq -c |
    sed -E 's/^ *([0-9]+) (.*)$/\2\t\1/'
}

# expect_same EXPECTED ARGUMENT...: the output of `muster run wordcount ARGUMENT...`
expect_same() {
  local expected=$1
  shift
  local start=$EPOCHREALTIME
  "$muster" run wordcount --quiet "$@" > got || fail "wordcount $* ended with $?"
  cmp got "$expected" || fail "wordcount $* differs"
  printf 'ok  %6.1f s  wordcount %s\n' \
    "$(echo "$EPOCHREALTIME $start" | awk '{ print $1 - $2 }')" "$(echo "$*" | cut -c -100)"
}

# The task processes of a run; its only child is the zygote.
task_processes() {
  local zygote
  zygote=$(cat "/proc/$1/task/$1/children" 2> /dev/null) || return 0
  [[ -n $zygote ]] || return 0
  cat "/proc/${zygote%% *}/task/${zygote%% *}/children" 2> /dev/null || true
}

state_of() { awk '/^State:/ { print $2 }' "/proc/$1/status" 2> /dev/null || true; }

# Stops a process; true if it is in the middle of an attempt.
stop_at_work() {
  kill -STOP "$1" 2> /dev/null || return 1
  local tries
  for ((tries = 0; tries < 1000; ++tries)); do
    case $(state_of "$1") in
      T) break ;;
      R | S | D) ;;
      *) return 1 ;;
    esac
  done
  find "/proc/$1/fd" -lname '*/run-*' -o -lname '*/attempt-*' 2> /dev/null | grep -q .
}

# kill_at_random RUN COUNT: prints how many were killed.
kill_at_random() {
  local killed=0
  while ((killed < $2)) && [[ -d /proc/$1 && $(state_of "$1") != Z ]]; do
    local tasks
    read -r -a tasks <<< "$(task_processes "$1")"
    ((${#tasks[@]} > 0)) || continue
    local victim=${tasks[RANDOM % ${#tasks[@]}]}
    if stop_at_work "$victim"; then
      kill -KILL "$victim" && killed=$((killed + 1))
    else
      kill -CONT "$victim" 2> /dev/null || true
    fi
  done
  echo "$killed"
}

# expect_same_despite_kills EXPECTED ARGUMENT...: repeats a run that is over before ten hits.
expect_same_despite_kills() {
  local expected=$1 left=10 runs killed
  shift
  for ((runs = 1; left > 0; ++runs)); do
    ((runs <= 10)) || fail "wordcount $*: $((10 - left)) kills hit in ten runs"
    "$muster" run wordcount --json "$@" > got 2> events &
    local run=$!
    killed=$(kill_at_random "$run" "$left")
    wait "$run" || fail "wordcount $* ended with $? after $killed kills: $(tail -n 1 events)"
    cmp got "$expected" || fail "wordcount $* differs after $killed kills"
    local counted="\"retries\":$killed,\"retries_by_cause\":{"
    ((killed == 0)) || counted+="\"killed\":$killed}"
    tail -n 1 events | grep -qF "$counted" ||
      fail "wordcount $*: $killed kills, but the summary is: $(tail -n 1 events)"
    [[ -z $(ls -A tmp) ]] || fail "left in tmp: $(ls -A tmp)"
    echo "ok  $killed kills  wordcount $*"
    left=$((left - killed))
  done
}

echo "making $bytes bytes of text and counting them with the core utilities"
make_text > text
count_tokens < text > tokens
count_lower_letters < text > letters

for workers in 1 2 8; do
  expect_same tokens text -j "$workers"
  expect_same letters text -j "$workers" --set tokens=letters --set case=lower
  for chunk in 1M 7777777 64M; do
    expect_same tokens text -j "$workers" --chunk-size "$chunk" --partitions 3
  done
  expect_same tokens text -j "$workers" --partitions 1
  expect_same tokens text -j "$workers" --partitions 16
done

"$muster" run wordcount --quiet text -o out --partitions 16
sort -m out/part-* | cmp - tokens || fail "the part files differ"
rm -rf out

expect_same_despite_kills tokens text -j 2 --chunk-size 16M
expect_same_despite_kills tokens text -j 8 --chunk-size 4M --partitions 16
expect_same_despite_kills letters text -j 1 --chunk-size 8M --set tokens=letters --set case=lower

find -P /usr/share/doc -type f -print0 | sort -z | xargs -0 grep -lI '' > docs || true
[[ -s docs ]] || fail "no text below /usr/share/doc"
mapfile -t docs < docs
for each in "${docs[@]}"; do cat "$each"; echo; done > text
count_tokens < text > tokens
count_lower_letters < text > letters
echo "$(wc -l < docs) files with $(wc -c < text) bytes below /usr/share/doc"
for workers in 1 2 8; do
  expect_same tokens "${docs[@]}" -j "$workers"
  expect_same letters "${docs[@]}" -j "$workers" --chunk-size 100000 --partitions 3 \
    --set tokens=letters --set case=lower
done

[[ -z $(ls -A tmp) ]] || fail "left in tmp: $(ls -A tmp)"
echo "all equal"
