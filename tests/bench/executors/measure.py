"""Runs the executors' benchmarks in turns and prints how the contenders compare; see run.sh.

A run is one pass over all programs, so that what else goes on meets all contenders alike; what
counts is the median over the runs. Memory is measured once, each figure in a process of its own.
"""

import json
import os
import statistics
import subprocess
import sys

MEBIBYTE = 1 << 20
PROGRAMS = ("muster-thread-pool-bench", "muster-process-pool-bench")
PROGRAM_SECONDS_MAX = 600
NOT_MEMORY = "--benchmark_filter=-memory/"
MEMORY = ("backlog-memory/", "endurance-memory/")
PEERS = {"TBB": "libtbb-dev", "Asio": "libboost-dev", "loky": "python3-joblib"}

# Benchmarks report a rate (items_per_second) or a time (median_ns).
RATES = {"futures", "forget", "submits"}


class Work:
    """A row of the table. `goals` are (text, test of muster, best TBB, floor)."""

    def __init__(self, name, title, unit, scale, goals):
        self.name = name
        self.title = title
        self.unit = unit
        self.scale = scale  # from what is reported to the unit
        self.goals = goals
        self.is_rate = name in RATES


def rate_of_mebibytes(nanoseconds):
    return 2 * MEBIBYTE / nanoseconds


WORKS = [
    Work("futures", "1e6 empty tasks with a future each, 2 threads", "M/s", 1e-6,
         [(">= 3x TBB", lambda muster, tbb, floor: muster >= 3 * tbb),
          ("> 6", lambda muster, tbb, floor: muster > 6)]),
    Work("forget", "the same, fire and forget", "M/s", 1e-6,
         [(">= 2x TBB", lambda muster, tbb, floor: muster >= 2 * tbb)]),
    Work("fib", "fib(25), fork-join, 2 threads", "ms", 1e-6,
         [("<= TBB", lambda muster, tbb, floor: muster <= tbb)]),
    Work("back-to-back", "thread pool, one at a time, back to back", "us", 1e-3, []),
    Work("after-nap", "thread pool, one at a time, threads asleep", "us", 1e-3, []),
    Work("submits", "1e5 int to int with futures, 2 processes", "M/s", 1e-6,
         [(">= 2", lambda muster, tbb, floor: muster >= 2)]),
    Work("call-spinning", "process pool, one at a time, back to back", "us", 1e-3,
         [("< 2", lambda muster, tbb, floor: muster < 2)]),
    Work("call-asleep", "process pool, one at a time, processes asleep", "us", 1e-3,
         [("<= 1.2x floor", lambda muster, tbb, floor: muster <= 1.2 * floor)]),
    Work("mebibyte-string", "1 MiB in and out, std::string", "GB/s", rate_of_mebibytes,
         [(">= 6", lambda muster, tbb, floor: muster >= 6)]),
    Work("mebibyte-vector", "1 MiB in and out, std::vector<char>", "GB/s", rate_of_mebibytes,
         [(">= 6", lambda muster, tbb, floor: muster >= 6)]),
    Work("mebibyte-cref", "1 MiB in and out, std::cref of a std::string", "GB/s",
         rate_of_mebibytes, [(">= 6", lambda muster, tbb, floor: muster >= 6)]),
    Work("first-result", "pool of 2 processes: made to first result", "ms", 1e-6,
         [("<= 1.5", lambda muster, tbb, floor: muster <= 1.5)]),
]


PAYLOADS = ["mebibyte-string", "mebibyte-vector", "mebibyte-cref"]


def run_program(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=PROGRAM_SECONDS_MAX, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed, {done.returncode}:\n{done.stderr}")
    return done.stdout


def run_benchmarks(path, selection):
    """{WORK/CONTENDER: its entry}."""
    entries = json.loads(run_program([path, selection, "--benchmark_format=json"]))["benchmarks"]
    for entry in entries:
        if entry.get("error_occurred"):
            raise SystemExit(f"{entry['name']}: {entry['error_message']}")
    # Google Benchmark appends how it ran: /iterations:3/real_time.
    return {"/".join(entry["name"].split("/")[:2]): entry for entry in entries}


class Figures:
    """{work: {contender: values in the order of the runs}}, and which peers are missing."""

    def __init__(self):
        self.values = {}
        self.missing = set()

    def add(self, name, value):
        work, contender = name.split("/")
        # Payloads have one floor and one peer of each kind, whatever they are kept in.
        works = PAYLOADS if work == "mebibyte" else [work]
        for each in works:
            self.values.setdefault(each, {}).setdefault(contender, []).append(value)

    def add_run(self, bin_dir, here):
        for program in PROGRAMS:
            for name, entry in run_benchmarks(os.path.join(bin_dir, program), NOT_MEMORY).items():
                by_rate = name.split("/")[0] in RATES
                self.add(name, entry["items_per_second" if by_rate else "median_ns"])
        for line in run_program([sys.executable, os.path.join(here, "peers.py")]).splitlines():
            figure = json.loads(line)
            if "missing" in figure:
                self.missing.add(figure["missing"])
            else:
                self.add(figure["name"], figure["value"])


class Row:
    def __init__(self, work, values):
        self.work = work
        self.best = max if work.is_rate or work.unit == "GB/s" else min
        self.medians = {name: self.scaled(statistics.median(all_)) for name, all_ in values.items()}
        self.minima = {name: min(map(self.scaled, all_)) for name, all_ in values.items()}
        self.muster = self.medians.get("muster")
        self.floor = self.medians.get("floor")
        self.peers = {name: value for name, value in self.medians.items()
                      if name not in ("muster", "floor")}

    def scaled(self, value):
        return self.work.scale(value) if callable(self.work.scale) else value * self.work.scale

    def text(self, name):
        return f"{self.medians[name]:.3g} (min {self.minima[name]:.3g})"

    def ratio(self, other):
        return "-" if other is None or self.muster is None else f"{self.muster / other:.2f}"

    def verdict(self):
        if self.muster is None or not self.work.goals:
            return "-"
        tbb = [value for name, value in self.peers.items() if name.startswith("TBB")]
        answers = []
        for text, test in self.work.goals:
            if ("TBB" in text and not tbb) or ("floor" in text and self.floor is None):
                answers.append("?")
                continue
            met = test(self.muster, self.best(tbb) if tbb else None, self.floor)
            answers.append("yes" if met else "NO")
        return ", ".join(answers)

    def print(self):
        best = self.best(self.peers.values()) if self.peers else None
        peers = ", ".join(f"{name} {self.text(name)}" for name in self.peers) or "-"
        goal = ", ".join(text for text, _ in self.work.goals) or "-"
        muster = self.text("muster") if self.muster is not None else "not measured"
        floor = self.text("floor") if self.floor is not None else "-"
        print(f"| {self.work.title}, {self.work.unit} | {muster} | {peers} | {floor} "
              f"| {self.ratio(best)} | {self.ratio(self.floor)} | {goal} | {self.verdict()} |")


def print_table(figures):
    print("\n| work | muster | peers | floor | to best peer | to floor | goal | met |")
    print("|---|---|---|---|---|---|---|---|")
    for work in WORKS:
        Row(work, figures.values.get(work.name, {})).print()


def print_missing(figures):
    seen = {contender.split()[0] for row in figures.values.values() for contender in row}
    for peer, package in PEERS.items():
        if peer not in seen:
            print(f"not measured: no {peer} ({package})")


def print_memory(path):
    for selection in MEMORY:
        (name, entry), = run_benchmarks(path, f"--benchmark_filter={selection}").items()
        if "bytes_per_task" in entry:
            value = entry["bytes_per_task"]
            print(f"memory per queued task in a backlog of 1e6: {value:.0f} B, "
                  f"goal at most 512: {'yes' if value <= 512 else 'NO'}")
        else:
            print(f"memory grown from 1e6 to 1e7 tasks: {entry['grown_bytes'] / MEBIBYTE:.1f} MiB "
                  f"in {entry['real_time'] / 1000:.1f} s, goal 0")


def main():
    bin_dir, runs = sys.argv[1], int(sys.argv[2])
    here = os.path.dirname(os.path.abspath(__file__))
    figures = Figures()
    for turn in range(runs):
        print(f"run {turn + 1} of {runs}", file=sys.stderr)
        figures.add_run(bin_dir, here)
    print_table(figures)
    print()
    print_missing(figures)
    print_memory(os.path.join(bin_dir, "muster-process-pool-bench"))


if __name__ == "__main__":
    main()
