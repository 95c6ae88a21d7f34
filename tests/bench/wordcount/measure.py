"""Runs the word-count peers in turns and prints their times and memory; see run.sh.

Times are of whole processes, from start to exit. The timed runs are left alone; memory comes
from one further run each, by adding up /proc/PID/status over the process tree every 5 ms. `rss`
counts the pages of a mapped file, `anon` only private memory.
"""

import filecmp
import os
import statistics
import subprocess
import sys
import tempfile
import time

SAMPLE_SECONDS = 0.005
SMALL_RUNS = 30
AWK_PROGRAM = '$0 != "" { n[$0]++ } END { for (w in n) printf "%s\\t%d\\n", w, n[w] }'


class Peer:
    def __init__(self, name, commands, input_path=os.devnull):
        self.name = name
        self.commands = commands  # a pipeline
        self.input_path = input_path
        self.seconds = []
        self.rss = 0
        self.anon = 0

    def start(self, output):
        children = []
        source = open(self.input_path, "rb")
        for number, command in enumerate(self.commands):
            last = number == len(self.commands) - 1
            child = subprocess.Popen(
                command, stdin=source, stdout=output if last else subprocess.PIPE,
                stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
            source.close()
            source = child.stdout
            children.append(child)
        return children

    def finish(self, children):
        for child in children:
            if child.wait() != 0:
                raise SystemExit(f"{self.name} failed with status {child.returncode}")

    def run(self, output_path):
        with open(output_path, "wb") as output:
            begin = time.perf_counter()
            self.finish(self.start(output))
            self.seconds.append(time.perf_counter() - begin)

    def measure_memory(self):
        with open(os.devnull, "wb") as output:
            children = self.start(output)
            while any(child.poll() is None for child in children):
                rss, anon = tree_memory([child.pid for child in children])
                self.rss = max(self.rss, rss)
                self.anon = max(self.anon, anon)
                time.sleep(SAMPLE_SECONDS)
            self.finish(children)


def tree_memory(pids):
    """Resident and anonymous KiB of these processes and all below them."""
    rss = anon = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
                fields = dict(line.split(":", 1) for line in status)
            rss += int(fields.get("VmRSS", "0 kB").split()[0])
            anon += int(fields.get("RssAnon", "0 kB").split()[0])
            below = []
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                    below += [int(child) for child in children.read().split()]
        except (OSError, ValueError):
            continue  # it has ended in the meantime
        more = tree_memory(below)
        rss, anon = rss + more[0], anon + more[1]
    return rss, anon


def warm(path):
    """Reads the file, as a page cache may lose it between two runs."""
    buffer = bytearray(1 << 20)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def mebibytes(kib):
    return f"{kib / 1024:.0f}" if kib else "-"


def print_table(peers, size):
    print(f"\n{'':8}{'runs':>5}{'median s':>10}{'min s':>8}{'max s':>8}{'MB/s':>8}"
          f"{'rss MiB':>9}{'anon MiB':>10}")
    for peer in peers:
        median = statistics.median(peer.seconds)
        print(f"{peer.name:8}{len(peer.seconds):5}{median:10.3f}{min(peer.seconds):8.3f}"
              f"{max(peer.seconds):8.3f}{size / median / 1e6:8.0f}"
              f"{mebibytes(peer.rss):>9}{mebibytes(peer.anon):>10}")


def print_ratio(above, below):
    medians = statistics.median(above.seconds) / statistics.median(below.seconds)
    best = min(above.seconds) / min(below.seconds)
    print(f"{above.name + '/' + below.name:13}{medians:8.2f} by medians{best:8.2f} by minima")


def measure_small(command):
    peer = Peer("muster", [command])
    for _ in range(SMALL_RUNS):
        peer.run(os.devnull)
    times = [1000 * seconds for seconds in peer.seconds]
    print(f"\nmuster on 1 KB, {SMALL_RUNS} runs: median {statistics.median(times):.1f} ms, "
          f"max {max(times):.1f} ms")


def main():
    bin_dir, text, small_text, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    muster_path = os.path.join(bin_dir, "muster")

    def muster_on(path):
        return [muster_path, "run", "wordcount", "-j", "2", "--quiet", path]

    mawk = Peer("mawk", [["tr", "-s", "[:space:]", "\\n"], ["mawk", AWK_PROGRAM]], text)
    floor = Peer("floor", [[os.path.join(bin_dir, "muster-wordcount-floor"), text]])
    muster = Peer("muster", [muster_on(text)])
    have_muster = os.access(muster_path, os.X_OK)
    if not have_muster:
        print(f"\n{muster_path} is not there yet: its part is left out", flush=True)

    same = True
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as scratch:
        for turn in range(runs):
            turn_peers = [mawk] if turn == 0 else []
            turn_peers += [floor] + ([muster] if have_muster else [])
            for peer in turn_peers:
                warm(text)
                peer.run(os.devnull if peer is mawk else os.path.join(scratch, peer.name))
            if turn == 0 and have_muster:
                same = filecmp.cmp(os.path.join(scratch, "floor"),
                                   os.path.join(scratch, "muster"), shallow=False)
    peers = [floor] + ([muster] if have_muster else [])
    for peer in peers:
        warm(text)
        peer.measure_memory()

    print_table([mawk] + peers, os.path.getsize(text))
    print()
    if have_muster:
        print_ratio(muster, floor)
        print_ratio(mawk, muster)
        print("outputs of floor and muster: " + ("identical" if same else "THEY DIFFER"))
        measure_small(muster_on(small_text))
    else:
        print_ratio(mawk, floor)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
