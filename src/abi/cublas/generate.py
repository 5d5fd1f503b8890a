#!/usr/bin/env python3
"""Generates what follows from functions.tsv: forwarding entries and version scripts of the three
generations of libcublas, libcublasLt and libnvblas, stubs of unsupported functions, and their part of
the support matrix."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import function_table as table

GENERATIONS = ("11", "12", "13")
LIBRARIES = ("cublas", "cublasLt", "nvblas")
COLUMNS = ("name", "library", "generations", "state", "group")
PREAMBLE = """Generated from `src/abi/cublas/functions.tsv` (target `guda_cublas_support_matrix`); do not edit.

{done} of {all} functions of `libcublas`, `libcublasLt` and `libnvblas` are implemented. Every other one is
exported all the same: it returns `CUBLAS_STATUS_NOT_SUPPORTED` and logs its name once."""


def signature_checks(rows):
    """For signatures_test.cpp: what cublas_v2.h, cublasXt.h and cublasLt.h of CUDA 13 declare."""
    overloaded = ("cublasGemmEx", "cublasGemmBatchedEx", "cublasGemmStridedBatchedEx",
                  "cublasSetEmulationStrategy", "cublasGetEmulationStrategy")  # in C++
    return "".join(f"CHECK({row['name']});\n" for row in rows
                   if "13" in row["generations"] and row["group"] not in ("legacy", "nvblas")
                   and row["name"] not in overloaded)


def main():
    arguments = table.arguments()
    rows = table.read_rows(arguments.table, COLUMNS)
    for row in rows:
        assert row["library"] in LIBRARIES, row
        row["generations"] = row["generations"].split(",")
    if arguments.output:
        for library in LIBRARIES:
            for generation in GENERATIONS:
                names = [row["name"] for row in rows
                         if row["library"] == library and generation in row["generations"]]
                table.write_forwarders(f"{arguments.output}/forward_{library}_{generation}.cpp",
                                       [(name, f"guda_cublas_{name}") for name in names])
                table.write_version_script(f"{arguments.output}/{library}_{generation}.map", names,
                                           f"lib{library}.so.{generation}")
        table.write_stubs(f"{arguments.output}/cublas_stubs.cpp",
                          [row["name"] for row in rows if row["state"] == "unsupported"], "cublas")
        table.write(f"{arguments.output}/signature_checks.inc", signature_checks(rows))
    if arguments.matrix:
        marks = lambda row: ["x" if generation in row["generations"] else "" for generation in GENERATIONS]
        table.write_matrix_part(
            arguments.matrix, "cuBLAS: support matrix", PREAMBLE, rows,
            ("function", "library", "11", "12", "13", "state"),
            lambda row: (f"`{row['name']}`", row["library"], *marks(row), row["state"]), "cuBLAS: ")


if __name__ == "__main__":
    main()
