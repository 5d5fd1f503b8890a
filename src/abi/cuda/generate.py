#!/usr/bin/env python3
"""Generates what follows from functions.tsv: the exports of libcuda.so.1, stubs of unsupported
functions, the table behind cuGetProcAddress, and the driver API's part of the support matrix."""
import argparse
import os

PREFIX = "guda_cuda_"
MARKER = "# CUDA driver API: support matrix"
COLUMNS = ("symbol", "name", "since", "variant", "state", "group", "same_as")


def read_table(path):
    with open(path) as file:
        lines = [line.rstrip("\n") for line in file if not line.startswith("#")]
    assert tuple(lines[0].split("\t")) == COLUMNS, lines[0]
    rows = [dict(zip(COLUMNS, line.split("\t"))) for line in lines[1:]]
    for row in rows:
        assert row["state"] in ("implemented", "unsupported"), row
    return rows


def target(row):
    return PREFIX + (row["symbol"] if row["same_as"] == "-" else row["same_as"])


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
    out += [f"FORWARD({row['symbol']}, {target(row)})" for row in rows]
    return "\n".join(out) + "\n"


def stubs(rows):
    out = ["// Generated from functions.tsv by generate.py.", '#include "abi/cuda/unsupported.h"', "",
           "#define STUB(name) \\",
           '  extern "C" __attribute__((visibility("default"))) int guda_cuda_##name() { \\',
           "    return guda::cuda::unsupported(#name); \\", "  }", ""]
    out += [f"STUB({row['symbol']})" for row in rows if row["state"] == "unsupported"]
    return "\n".join(out) + "\n"


def entry_points(rows):
    """Sorted by name, then version. Text without pointers: nothing to relocate when libguda is loaded."""
    variants = {"-": "plain", "ptsz": "per_thread", "ptds": "per_thread"}
    ordered = sorted(rows, key=lambda row: (row["name"], int(row["since"])))
    out = ["// Generated from functions.tsv by generate.py: {name, symbol, since, variant}."]
    out += [f'{{"{row["name"]}", "{target(row)}", {row["since"]}, Variant::{variants[row["variant"]]}}},'
            for row in ordered]
    return "\n".join(out) + "\n"


def matrix(rows):
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    done = sum(row["state"] == "implemented" for row in rows)
    out = [MARKER, "", "Generated from `src/abi/cuda/functions.tsv` (target `guda_driver_support_matrix`); do not edit.",
           "", f"{done} of {len(rows)} symbols of `libcuda.so.1` are implemented. Every other one is exported all the same:",
           "it returns `CUDA_ERROR_NOT_SUPPORTED` and logs its name once.", "",
           "| group | implemented | of |", "|---|---|---|"]
    for group in sorted(groups):
        members = groups[group]
        out.append(f"| {group} | {sum(r['state'] == 'implemented' for r in members)} | {len(members)} |")
    for group in sorted(groups):
        out += ["", f"## Driver: {group}", "", "| symbol | since | state |", "|---|---|---|"]
        out += [f"| `{r['symbol']}` | {int(r['since']) // 1000}.{int(r['since']) % 1000 // 10} | {r['state']} |"
                for r in groups[group]]
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--output", help="folder of the generated sources")
    parser.add_argument("--matrix", help="support matrix whose driver part is replaced (Markdown)")
    arguments = parser.parse_args()
    rows = read_table(arguments.table)
    if arguments.output:
        os.makedirs(arguments.output, exist_ok=True)
        write(f"{arguments.output}/forward_cuda.cpp", forwarders(rows))
        write(f"{arguments.output}/cuda_stubs.cpp", stubs(rows))
        write(f"{arguments.output}/entry_points.inc", entry_points(rows))
        write(f"{arguments.output}/cuda.map",
              "{\n  global:\n" + "".join(f"    {row['symbol']};\n" for row in rows) + "  local: *;\n};\n")
    if arguments.matrix:
        with open(arguments.matrix) as file:
            before = file.read().split(MARKER)[0].rstrip("\n")
        write(arguments.matrix, before + "\n\n" + matrix(rows))


if __name__ == "__main__":
    main()
