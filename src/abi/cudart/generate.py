#!/usr/bin/env python3
"""Generates what follows from functions.tsv: forwarding entries and version scripts of the
libcudart generations, stubs of unsupported functions, and the runtime API's part of the support
matrix."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import function_table as table

GENERATIONS = {"13": "libcudart.so.13", "12": "libcudart.so.12", "11": "libcudart.so.11.0"}
COLUMNS = ("name", "generations", "state", "group", "variants")
PREAMBLE = """Generated from `src/abi/cudart/functions.tsv` (target `guda_support_matrix`); do not edit.

{done} of {all} functions are implemented. Every other one is exported all the same:
it returns `cudaErrorNotSupported` and logs its name once."""


def read_table(path):
    rows = table.read_rows(path, COLUMNS)
    for row in rows:
        row["generations"] = row["generations"].split(",")
        row["variants"] = ({} if row["variants"] == "-" else
                           dict(part.split("=") for part in row["variants"].split(";")))
    return rows


def target(row, generation):
    return "guda_cudart_" + row["variants"].get(generation, row["name"])


def main():
    arguments = table.arguments()
    rows = read_table(arguments.table)
    if arguments.output:
        for generation, node in GENERATIONS.items():
            names = [row for row in rows if generation in row["generations"]]
            table.write_forwarders(f"{arguments.output}/forward_{generation}.cpp",
                                   [(row["name"], target(row, generation)) for row in names])
            table.write_version_script(f"{arguments.output}/cudart_{generation}.map",
                                       [row["name"] for row in names], node)
        # libguda itself: every name, unversioned, with the newest generation's meaning.
        table.write_forwarders(f"{arguments.output}/forward_guda.cpp",
                               [(row["name"], target(row, "13")) for row in rows])
        missing = set()
        for row in rows:
            if row["state"] == "unsupported":
                missing.update([row["name"], *row["variants"].values()])
        table.write_stubs(f"{arguments.output}/stubs.cpp", sorted(missing), "cudart")
    if arguments.matrix:
        marks = lambda row: ["x" if generation in row["generations"] else ""
                             for generation in ("11", "12", "13")]
        table.write_matrix_part(
            arguments.matrix, "CUDA runtime API: support matrix", PREAMBLE, rows,
            ("function", "11.0", "12", "13", "state"),
            lambda row: (f"`{row['name']}`", *marks(row), row["state"]))


if __name__ == "__main__":
    main()
