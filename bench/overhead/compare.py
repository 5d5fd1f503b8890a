#!/usr/bin/env python3
"""Runs bench_overhead with two sets of libraries in turns and prints the ratio of the best times.

compare.py PROGRAM --native DIR --guda DIR [--rounds N] [--median] [--env NAME=VALUE ...]
           [--native-env NAME=VALUE ...] [--arguments ...]

With --median it is the ratio of the processes' medians: for times that a process keeps but the next one does not have.

Two configurations of GUDA are compared by giving its directory twice, two builds by giving both.
"""
import argparse
import os
import statistics
import subprocess


def measure(command, libraries, extra):
    environment = dict(os.environ, LD_LIBRARY_PATH=libraries, **extra)
    output = subprocess.run(command, env=environment, capture_output=True, text=True)
    if output.returncode != 0:
        raise SystemExit(f"{libraries}: exit {output.returncode}\n{output.stdout}{output.stderr}")
    lines = (line.split() for line in output.stdout.splitlines())
    return {words[0]: float(words[1]) for words in lines if len(words) == 3}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--native", required=True, help="directories of NVIDIA's libraries")
    parser.add_argument("--guda", required=True, help="directory of GUDA's libraries")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--median", action="store_true", help="of the processes, not the best")
    parser.add_argument("--env", action="append", default=[], help="for GUDA")
    parser.add_argument("--native-env", action="append", default=[], help="for the other side")
    parser.add_argument("--arguments", nargs="*", default=[], help="for the program")
    arguments = parser.parse_args()
    command = [arguments.program, *arguments.arguments]
    extra = dict(item.split("=", 1) for item in arguments.env)
    native_extra = dict(item.split("=", 1) for item in arguments.native_env)
    times = [{}, {}]
    for _ in range(arguments.rounds):
        sides = [(arguments.native, native_extra), (arguments.guda, extra)]
        for side, (libraries, more) in enumerate(sides):
            for name, value in measure(command, libraries, more).items():
                times[side].setdefault(name, []).append(value)
    choose = statistics.median if arguments.median else min
    print(f"{'':34}{'native us':>12}{'GUDA us':>12}{'ratio':>8}")
    for name in times[0]:
        native, guda = (choose(side[name]) for side in times)
        print(f"{name:34}{native:12.3f}{guda:12.3f}{guda / native:8.3f}")


if __name__ == "__main__":
    main()
