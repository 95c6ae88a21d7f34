"""Python's executors on the work of process_pool_bench and thread_pool_bench; see run.sh.

Prints one JSON object a line: name is WORK/CONTENDER as in the C++ programs, value, unit. Fewer
calls than there, as Python is slow: rates do not depend on it. A peer that is not installed is
named in `missing`.
"""

import concurrent.futures
import json
import multiprocessing
import statistics
import time

WORKERS = 2
THREAD_CALLS = 30_000
PROCESS_CALLS = 5_000
IMAP_CALLS = 20_000
SINGLE_CALLS = 50
NAP_SECONDS = 0.003
MEBIBYTE = b"x" * (1 << 20)


def square(x):
    return x * x


def echo(payload):
    return payload


def report(name, value, unit):
    print(json.dumps({"name": name, "value": value, "unit": unit}), flush=True)


def rate(pool, calls):
    begin = time.perf_counter()
    futures = [pool.submit(square, i) for i in range(calls)]
    for future in futures:
        future.result()
    return calls / (time.perf_counter() - begin)


def median_seconds(call, nap):
    times = []
    for _ in range(SINGLE_CALLS):
        if nap:
            time.sleep(NAP_SECONDS)
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def measure_threads():
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        pool.submit(square, 1).result()
        report("futures/Python", rate(pool, THREAD_CALLS), "1/s")
        seconds = median_seconds(lambda: pool.submit(square, 7).result(), nap=False)
        report("back-to-back/Python", seconds * 1e9, "ns")
        seconds = median_seconds(lambda: pool.submit(square, 7).result(), nap=True)
        report("after-nap/Python", seconds * 1e9, "ns")


def measure_processes(contender, pool):
    for _ in range(20):
        pool.submit(square, 1).result()
    report(f"submits/{contender}", rate(pool, PROCESS_CALLS), "1/s")
    for work, nap in (("call-spinning", False), ("call-asleep", True)):
        seconds = median_seconds(lambda: pool.submit(square, 7).result(), nap)
        report(f"{work}/{contender}", seconds * 1e9, "ns")
    seconds = median_seconds(lambda: pool.submit(echo, MEBIBYTE).result(), nap=False)
    report(f"mebibyte/{contender}", seconds * 1e9, "ns")


def first_result(make_pool, repeats):
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        pool = make_pool()
        pool.submit(square, 7).result()
        times.append(time.perf_counter() - begin)
        pool.shutdown()
    return statistics.median(times) * 1e9


def measure_imap(context):
    with context.Pool(WORKERS) as pool:
        pool.map(square, range(10))
        for contender, chunk in (("imap", 1), ("imap in hundreds", 100)):
            begin = time.perf_counter()
            for _ in pool.imap(square, range(IMAP_CALLS), chunksize=chunk):
                pass
            report(f"submits/{contender}", IMAP_CALLS / (time.perf_counter() - begin), "1/s")


def measure_loky():
    try:
        from joblib.externals.loky.process_executor import ProcessPoolExecutor
    except ImportError:
        print(json.dumps({"missing": "joblib/loky"}))
        return

    report("first-result/loky", first_result(lambda: ProcessPoolExecutor(WORKERS), 3), "ns")
    with ProcessPoolExecutor(WORKERS) as pool:
        measure_processes("loky", pool)


def main():
    fork = multiprocessing.get_context("fork")

    def make_pool():
        return concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=fork)

    report("first-result/Python", first_result(make_pool, 10), "ns")
    measure_imap(fork)
    with make_pool() as pool:
        measure_processes("Python", pool)
    measure_loky()
    measure_threads()


if __name__ == "__main__":
    main()
