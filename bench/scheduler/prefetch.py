#!/usr/bin/env python3
"""Time of bench_prefetch without prefetching and with it, alternating: best of each, and their ratio.

  GUDA_DEVICES=emulated GUDA_EMULATED_LINK=2000 LD_LIBRARY_PATH=build/release/lib \
      bench/scheduler/prefetch.py build/release/bin/bench_prefetch [runs [arguments]]
"""
import os
import subprocess
import sys


def main():
    program, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    best = {}
    for _ in range(runs):
        for prefetch in ("0", "1"):
            environment = dict(os.environ, GUDA_PREFETCH=prefetch)
            took = float(subprocess.check_output([program, *sys.argv[3:]], env=environment))
            best[prefetch] = min(best.get(prefetch, took), took)
    print(f"without {best['0']:.1f} ms, with {best['1']:.1f} ms, ratio {best['1'] / best['0']:.2f}")


main()
