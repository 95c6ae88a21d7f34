"""Dask on one machine: a scheduler and two workers of one thread. Prints "name value" lines."""

import time


def next_of(x):
    return x + 1


def main():
    from dask.distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            client.submit(next_of, 1).result()
            count = 2000
            start = time.perf_counter()
            futures = [client.submit(next_of, i, pure=False) for i in range(count)]
            client.gather(futures)
            print(f"dask_calls_per_s {count / (time.perf_counter() - start):.0f}")
            count = 200
            start = time.perf_counter()
            for i in range(count):
                client.submit(next_of, i, pure=False).result()
            print(f"dask_one_at_a_time_us {(time.perf_counter() - start) / count * 1e6:.0f}")


if __name__ == "__main__":
    main()
