#include <algorithm>
#include <chrono>
#include <sstream>

#include <fmt/format.h>

#include <muster/base/error.hpp>
#include <muster/launch/marked_process.hpp>
#include <muster/launch/shell_quote.hpp>
#include <muster/launch/ssh_script.hpp>

namespace muster::launch {
namespace {

/// What all scripts begin with. `each_worker COMMAND` calls it with the pid and the number of each
/// worker that lives: a process that bears the mark and leads a session, as in marked_process.cpp.
std::string prologue(const ClusterSpec& spec, const std::string& host) {
  // The name of the host as it was given is in the mark: two of them may be one machine.
  return fmt::format(R"sh(mark={0}
cluster="${{XDG_STATE_HOME:-$HOME/.local/state}}/muster/clusters/{1}"
logs="$cluster/logs"
each_worker() {{
  for environ in $(grep -lszF "$mark" /proc/[0-9]*/environ); do
    pid=${{environ#/proc/}}
    pid=${{pid%/environ}}
    stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
    session=$(echo "${{stat##*)}}" | {{
      read -r state parent group session rest
      echo "$session"
    }})
    [ "$session" = "$pid" ] || continue
    variable=$(tr '\0' '\n' 2>/dev/null <"$environ" | grep -F "$mark")
    number=${{variable#"$mark"}}
    [ -n "$number" ] && "$1" "$pid" "$number"
  done
}}
)sh",
                     shell_quote(part_mark(spec.token, host, "")), spec.name);
}

std::string number_pattern(const std::vector<std::string>& numbers) {
  std::string out;
  for (const std::string& each : numbers) out += (out.empty() ? "" : "|") + shell_quote(each);
  return out;
}

}  // namespace

std::string ssh_start_script(const ClusterSpec& spec, const std::string& host, unsigned count) {
  return prologue(spec, host) + fmt::format(R"sh(umask 077
mkdir -p "$logs" || exit 1
program={0}
command -v "$program" >/dev/null || {{ echo "there is no program $program" >&2; exit 1; }}
command -v setsid >/dev/null || {{ echo 'there is no program setsid' >&2; exit 1; }}
started=0
number=0
born=
while [ "$started" -lt {1} ]; do
  number=$((number + 1))
  [ "$number" -lt 1000000 ] || {{ echo "$logs is full of logs" >&2; exit 1; }}
  log="$logs/worker-$number.log"
  (set -C; : >"$log") 2>/dev/null || {{ [ -e "$log" ] || exit 1; continue; }}
  env "$mark$number" setsid {2} </dev/null >>"$log" 2>&1 &
  born="$born $!:$number"
  started=$((started + 1))
done
# One that cannot live, for its options or its keys, says so and ends at once.
sleep 0.2
for each in $born; do
  case $(cat "/proc/${{each%:*}}/stat" 2>/dev/null) in
    *') Z '* | '')
      echo 'a worker has ended as soon as it was started:' >&2
      cat "$logs/worker-${{each#*:}}.log" >&2
      exit 1
      ;;
  esac
done
)sh",
                                            shell_quote(spec.worker.program), count,
                                            shell_command(spec.worker.arguments()));
}

std::string ssh_look_script(const ClusterSpec& spec, const std::string& host) {
  return prologue(spec, host) + R"sh(show() { echo "$1 $2 $logs/worker-$2.log"; }
each_worker show
exit 0
)sh";
}

std::string ssh_drain_script(const ClusterSpec& spec, const std::string& host,
                             const std::vector<std::string>& numbers) {
  return prologue(spec, host) +
         fmt::format(R"sh(drain() {{ case "$2" in {}) kill -s USR1 "$1" ;; esac; }}
each_worker drain
exit 0
)sh",
                     number_pattern(numbers));
}

std::string ssh_end_script(const ClusterSpec& spec, const std::string& host, Duration grace) {
  constexpr int polls_a_second = 10;
  const auto polls = std::chrono::ceil<std::chrono::seconds>(grace).count() * polls_a_second;
  return prologue(spec, host) + fmt::format(R"sh(finish() {{ kill -s TERM "$1"; }}
kill_it() {{ kill -s KILL "$1"; }}
count() {{ echo "$1"; }}
await_end() {{
  left=$1
  while [ -n "$(each_worker count)" ]; do
    [ "$left" -gt 0 ] || return 1
    left=$((left - 1))
    sleep 0.1
  done
}}
each_worker finish
await_end {} || {{ each_worker kill_it; await_end 100; }} || {{
  echo 'a worker cannot be killed' >&2
  exit 1
}}
rm -f "$logs"/worker-*.log
rmdir "$logs" "$cluster" 2>/dev/null
exit 0
)sh",
                                            polls);
}

std::vector<Pilot> parse_look(std::string_view printed, const std::string& host) {
  std::vector<Pilot> out;
  std::istringstream lines{std::string(printed)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string pid;
    std::string number;
    std::string log;
    words >> pid >> number >> std::ws;
    std::getline(words, log);
    const auto is_number = [](const std::string& text) {
      return !text.empty() &&
             std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    };
    if (!is_number(pid) || !is_number(number) || log.empty()) {
      throw Error(ErrorCode::broken, fmt::format("'{}' has printed '{}'", host, line),
                  "does a file like .bashrc print something there?");
    }
    out.push_back({fmt::format("{}:{}", host, number), Pilot::State::running,
                   fmt::format("pid {} on {}", pid, host), log});
  }
  return out;
}

}  // namespace muster::launch
