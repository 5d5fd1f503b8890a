#!/usr/bin/env python3
"""Generates what follows from functions.tsv: forwarding entries and version scripts of the three
generations of libcublas, libcublasLt and libnvblas, stubs of unsupported functions, and their part of
the support matrix."""
import argparse
import os

GENERATIONS = ("11", "12", "13")
LIBRARIES = ("cublas", "cublasLt", "nvblas")
PREFIX = "guda_cublas_"
MARKER = "# cuBLAS: support matrix"
COLUMNS = ("name", "library", "generations", "state", "group")


def read_table(path):
    with open(path) as file:
        lines = [line.rstrip("\n") for line in file if not line.startswith("#")]
    assert tuple(lines[0].split("\t")) == COLUMNS, lines[0]
    rows = [dict(zip(COLUMNS, line.split("\t"))) for line in lines[1:]]
    for row in rows:
        assert row["state"] in ("implemented", "unsupported"), row
        assert row["library"] in LIBRARIES, row
        row["generations"] = row["generations"].split(",")
    return rows


def write(path, text):
    """Writes only what changed, so that dependents are not rebuilt."""
    if os.path.exists(path):
        with open(path) as file:
            if file.read() == text:
                return
    with open(path, "w") as file:
        file.write(text)


def forwarders(rows):
    """One jump per exported name. Assembly, because arguments must pass through untouched."""
    out = ["// Generated from functions.tsv by generate.py.", "#if defined(__x86_64__)",
           '#define JUMP "jmp "', '#define PLT "@PLT"', "#elif defined(__aarch64__)",
           '#define JUMP "b "', '#define PLT ""', "#else", '#error "no forwarding jump for this processor"',
           "#endif",
           '#define FORWARD(name, to) asm(".text\\n.p2align 4\\n.globl " #name "\\n.type " #name \\',
           '  ", @function\\n" #name ":\\n" JUMP #to PLT "\\n.size " #name ", . - " #name "\\n");']
    out += [f"FORWARD({row['name']}, {PREFIX}{row['name']})" for row in rows]
    return "\n".join(out) + "\n"


def stubs(rows):
    out = ["// Generated from functions.tsv by generate.py.", '#include "abi/cublas/unsupported.h"', "",
           "#define STUB(name) \\",
           '  extern "C" __attribute__((visibility("default"))) int guda_cublas_##name() { \\',
           "    return guda::cublas::unsupported(#name); \\", "  }", ""]
    out += [f"STUB({row['name']})" for row in rows if row["state"] == "unsupported"]
    return "\n".join(out) + "\n"


def signature_checks(rows):
    """For signatures_test.cpp: what cublas_v2.h, cublasXt.h and cublasLt.h of CUDA 13 declare."""
    overloaded = ("cublasGemmEx", "cublasGemmBatchedEx", "cublasGemmStridedBatchedEx",
                  "cublasSetEmulationStrategy", "cublasGetEmulationStrategy")  # in C++
    return "".join(f"CHECK({row['name']});\n" for row in rows
                   if "13" in row["generations"] and row["group"] not in ("legacy", "nvblas")
                   and row["name"] not in overloaded)


def matrix(rows):
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    done = sum(row["state"] == "implemented" for row in rows)
    out = [MARKER, "", "Generated from `src/abi/cublas/functions.tsv` (target `guda_cublas_support_matrix`); do not edit.",
           "", f"{done} of {len(rows)} functions of `libcublas`, `libcublasLt` and `libnvblas` are implemented. Every other one is",
           "exported all the same: it returns `CUBLAS_STATUS_NOT_SUPPORTED` and logs its name once.", "",
           "| group | implemented | of |", "|---|---|---|"]
    for group in sorted(groups):
        members = groups[group]
        out.append(f"| {group} | {sum(r['state'] == 'implemented' for r in members)} | {len(members)} |")
    for group in sorted(groups):
        out += ["", f"## cuBLAS: {group}", "", "| function | library | 11 | 12 | 13 | state |",
                "|---|---|---|---|---|---|"]
        for row in groups[group]:
            marks = ["x" if generation in row["generations"] else "" for generation in GENERATIONS]
            out.append(f"| `{row['name']}` | {row['library']} | {' | '.join(marks)} | {row['state']} |")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--output", help="folder of the generated sources")
    parser.add_argument("--matrix", help="support matrix whose last part is replaced (Markdown)")
    arguments = parser.parse_args()
    rows = read_table(arguments.table)
    if arguments.output:
        os.makedirs(arguments.output, exist_ok=True)
        for library in LIBRARIES:
            for generation in GENERATIONS:
                names = [row for row in rows
                         if row["library"] == library and generation in row["generations"]]
                write(f"{arguments.output}/forward_{library}_{generation}.cpp", forwarders(names))
                write(f"{arguments.output}/{library}_{generation}.map",
                      f"lib{library}.so.{generation} {{\n  global:\n" +
                      "".join(f"    {row['name']};\n" for row in names) + "  local: *;\n};\n")
        write(f"{arguments.output}/cublas_stubs.cpp", stubs(rows))
        write(f"{arguments.output}/signature_checks.inc", signature_checks(rows))
    if arguments.matrix:
        with open(arguments.matrix) as file:
            before = file.read().split(MARKER)[0].rstrip("\n")
        write(arguments.matrix, before + "\n\n" + matrix(rows))


if __name__ == "__main__":
    main()
