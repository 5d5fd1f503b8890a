#!/usr/bin/env python3
"""Generates what follows from functions.tsv: the exports of libcuda.so.1, stubs of unsupported
functions, the table behind cuGetProcAddress, and the driver API's part of the support matrix."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import function_table as table

COLUMNS = ("symbol", "name", "since", "variant", "state", "group", "same_as")
PREAMBLE = """Generated from `src/abi/cuda/functions.tsv` (target `guda_driver_support_matrix`); do not edit.

{done} of {all} symbols of `libcuda.so.1` are implemented. Every other one is exported all the same:
it returns `CUDA_ERROR_NOT_SUPPORTED` and logs its name once."""


def target(row):
    return "guda_cuda_" + (row["symbol"] if row["same_as"] == "-" else row["same_as"])


def entry_points(rows):
    """Sorted by name, then version. Text without pointers: nothing to relocate when libguda is loaded."""
    variants = {"-": "plain", "ptsz": "per_thread", "ptds": "per_thread"}
    ordered = sorted(rows, key=lambda row: (row["name"], int(row["since"])))
    out = ["// Generated from functions.tsv by generate.py: {name, symbol, since, variant}."]
    out += [f'{{"{row["name"]}", "{target(row)}", {row["since"]}, Variant::{variants[row["variant"]]}}},'
            for row in ordered]
    return "\n".join(out) + "\n"


def main():
    arguments = table.arguments()
    rows = table.read_rows(arguments.table, COLUMNS)
    if arguments.output:
        table.write_forwarders(f"{arguments.output}/forward_cuda.cpp",
                               [(row["symbol"], target(row)) for row in rows])
        table.write_stubs(f"{arguments.output}/cuda_stubs.cpp",
                          [row["symbol"] for row in rows if row["state"] == "unsupported"], "cuda")
        table.write(f"{arguments.output}/entry_points.inc", entry_points(rows))
        table.write_version_script(f"{arguments.output}/cuda.map", [row["symbol"] for row in rows])
    if arguments.matrix:
        table.write_matrix_part(
            arguments.matrix, "CUDA driver API: support matrix", PREAMBLE, rows,
            ("symbol", "since", "state"),
            lambda row: (f"`{row['symbol']}`",
                         f"{int(row['since']) // 1000}.{int(row['since']) % 1000 // 10}", row["state"]),
            "Driver: ")


if __name__ == "__main__":
    main()
