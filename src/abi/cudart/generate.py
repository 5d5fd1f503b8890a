#!/usr/bin/env python3
"""Generates what follows from functions.tsv: forwarding entries and version scripts of the
libcudart generations, stubs of unsupported functions, and the support matrix."""
import argparse
import os

GENERATIONS = {"13": "libcudart.so.13", "12": "libcudart.so.12", "11": "libcudart.so.11.0"}
PREFIX = "guda_cudart_"


def read_table(path):
    rows = []
    with open(path) as file:
        lines = [line.rstrip("\n") for line in file if not line.startswith("#")]
    for line in lines[1:]:
        name, generations, state, group, variants = line.split("\t")
        assert state in ("implemented", "unsupported"), line
        rows.append({
            "name": name,
            "generations": generations.split(","),
            "state": state,
            "group": group,
            "variants": {} if variants == "-" else
                        dict(part.split("=") for part in variants.split(";")),
        })
    return rows


def target(row, generation):
    return PREFIX + row["variants"].get(generation, row["name"])


def write(path, text):
    """Writes only what changed, so that dependents are not rebuilt."""
    if os.path.exists(path):
        with open(path) as file:
            if file.read() == text:
                return
    with open(path, "w") as file:
        file.write(text)


def forwarders(pairs):
    """One jump per exported name. Assembly, because arguments must pass through untouched."""
    out = ["// Generated from functions.tsv by generate.py.", "#if defined(__x86_64__)",
           '#define JUMP "jmp "', '#define PLT "@PLT"', "#elif defined(__aarch64__)",
           '#define JUMP "b "', '#define PLT ""', "#else", '#error "no forwarding jump for this processor"',
           "#endif",
           '#define FORWARD(name, to) asm(".text\\n.p2align 4\\n.globl " #name "\\n.type " #name \\',
           '  ", @function\\n" #name ":\\n" JUMP #to PLT "\\n.size " #name ", . - " #name "\\n");']
    out += [f"FORWARD({name}, {to})" for name, to in pairs]
    # gcc emits the marker for data-only stacks only when the file has a function or a variable.
    out.append("")
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--output", help="folder of the generated sources")
    parser.add_argument("--matrix", help="support matrix to write (Markdown)")
    arguments = parser.parse_args()
    rows = read_table(arguments.table)

    if arguments.output:
        os.makedirs(arguments.output, exist_ok=True)
        for generation, node in GENERATIONS.items():
            names = [row for row in rows if generation in row["generations"]]
            write(f"{arguments.output}/forward_{generation}.cpp",
                  forwarders([(row["name"], target(row, generation)) for row in names]))
            write(f"{arguments.output}/cudart_{generation}.map",
                  f"{node} {{\n  global:\n" + "".join(f"    {row['name']};\n" for row in names) +
                  "  local: *;\n};\n")
        # libguda itself: every name, unversioned, with the newest generation's meaning.
        write(f"{arguments.output}/forward_guda.cpp",
              forwarders([(row["name"], target(row, "13")) for row in rows]))
        missing = set()
        for row in rows:
            if row["state"] == "unsupported":
                missing.add(row["name"])
                missing.update(row["variants"].values())
        stubs = ["// Generated from functions.tsv by generate.py.",
                 '#include "abi/cudart/unsupported.h"', "",
                 "#define STUB(name) \\",
                 '  extern "C" __attribute__((visibility("default"))) int guda_cudart_##name() { \\',
                 "    return guda::cudart::unsupported(#name); \\", "  }", ""]
        stubs += [f"STUB({name})" for name in sorted(missing)]
        write(f"{arguments.output}/stubs.cpp", "\n".join(stubs) + "\n")

    if arguments.matrix:
        groups = {}
        for row in rows:
            groups.setdefault(row["group"], []).append(row)
        done = sum(row["state"] == "implemented" for row in rows)
        out = ["# CUDA runtime API: support matrix", "",
               "Generated from `src/abi/cudart/functions.tsv` (target `guda_support_matrix`); do not edit.",
               "",
               f"{done} of {len(rows)} functions are implemented. Every other one is exported all the same:",
               "it returns `cudaErrorNotSupported` and logs its name once.", "",
               "| group | implemented | of |", "|---|---|---|"]
        for group in sorted(groups):
            members = groups[group]
            out.append(f"| {group} | {sum(r['state'] == 'implemented' for r in members)} | {len(members)} |")
        for group in sorted(groups):
            out += ["", f"## {group}", "", "| function | 11.0 | 12 | 13 | state |", "|---|---|---|---|---|"]
            for row in groups[group]:
                marks = ["x" if generation in row["generations"] else "" for generation in ("11", "12", "13")]
                out.append(f"| `{row['name']}` | {' | '.join(marks)} | {row['state']} |")
        write(arguments.matrix, "\n".join(out) + "\n")


if __name__ == "__main__":
    main()
