#!/usr/bin/env python3
"""Median error of predicted times in a trace (GUDA_TRACE=FILE, or guda trace), for each engine and for split work.

prediction_errors.py FILE [--skip N]: without each work's first N runs on an engine (default 0).
"""
import argparse
import collections
import json
import statistics


def events(path):
    with open(path, encoding="utf-8") as file:
        text = file.read().strip().rstrip(",")
    return json.loads(text if text.endswith("]") else text + "]")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trace")
    parser.add_argument("--skip", type=int, default=0)
    arguments = parser.parse_args()
    tracks = {}
    runs = collections.Counter()
    errors = collections.defaultdict(list)
    for event in events(arguments.trace):
        details = event.get("args", {})
        track = (event.get("pid"), event.get("tid"))
        if event.get("ph") == "M":
            tracks[track] = details.get("name", "")
        if "predicted_us" not in details or details["predicted_us"] <= 0:
            continue
        where = "split" if event["cat"] == "split" else tracks.get(track, str(track))
        runs[where, event["name"]] += 1
        if runs[where, event["name"]] > arguments.skip:
            errors[where].append(abs(details["predicted_us"] / details["actual_us"] - 1))
    for where, each in sorted(errors.items()) + [("all", sum(errors.values(), []))]:
        if each:
            print(f"{where:12} {len(each):6} predictions, median error {100 * statistics.median(each):5.1f} %")


if __name__ == "__main__":
    main()
