"""What the generators of the interfaces have in common: reading functions.tsv, and writing forwarding
entries, version scripts, stubs and parts of the support matrix."""
import argparse
import os
import re

GENERATED = "// Generated from functions.tsv by generate.py."


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--output", help="folder of the generated sources")
    parser.add_argument("--matrix", help="support matrix whose part is replaced (Markdown)")
    parsed = parser.parse_args()
    if parsed.output:
        os.makedirs(parsed.output, exist_ok=True)
    return parsed


def read_rows(path, columns):
    """Rows as dictionaries; comments start with "#", the first other line names the columns."""
    with open(path) as file:
        lines = [line.rstrip("\n") for line in file if not line.startswith("#")]
    assert tuple(lines[0].split("\t")) == columns, lines[0]
    rows = [dict(zip(columns, line.split("\t"))) for line in lines[1:]]
    for row in rows:
        assert row["state"] in ("implemented", "unsupported"), row
    return rows


def write(path, text):
    """Writes only what changed, so that dependents are not rebuilt."""
    if os.path.exists(path):
        with open(path) as file:
            if file.read() == text:
                return
    with open(path, "w") as file:
        file.write(text)


def write_forwarders(path, pairs):
    """One jump per pair of an exported name and the function behind it. Assembly, because arguments must
    pass through untouched."""
    out = [GENERATED, "#if defined(__x86_64__)",
           '#define JUMP "jmp "', '#define PLT "@PLT"', "#elif defined(__aarch64__)",
           '#define JUMP "b "', '#define PLT ""', "#else", '#error "no forwarding jump for this processor"',
           "#endif",
           '#define FORWARD(name, to) asm(".text\\n.p2align 4\\n.globl " #name "\\n.type " #name \\',
           '  ", @function\\n" #name ":\\n" JUMP #to PLT "\\n.size " #name ", . - " #name "\\n");']
    out += [f"FORWARD({name}, {to})" for name, to in pairs]
    write(path, "\n".join(out) + "\n")


def write_version_script(path, names, node=""):
    exports = "".join(f"    {name};\n" for name in names)
    write(path, f"{node} {{\n  global:\n{exports}  local: *;\n}};\n".lstrip())


def write_stubs(path, names, interface):
    """Functions that call guda::<interface>::unsupported(name)."""
    out = [GENERATED, f'#include "abi/{interface}/unsupported.h"', "", "#define STUB(name) \\",
           f'  extern "C" __attribute__((visibility("default"))) int guda_{interface}_##name() {{ \\',
           f"    return guda::{interface}::unsupported(#name); \\", "  }", ""]
    out += [f"STUB({name})" for name in names]
    write(path, "\n".join(out) + "\n")


def write_matrix_part(path, heading, preamble, rows, columns, cells, group_prefix=""):
    """Replaces the part of the support matrix under `# heading`, or adds it at the end. `cells` makes the
    table row of a function, its state last."""
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    count = lambda some: sum(row["state"] == "implemented" for row in some)
    out = [f"# {heading}", "", preamble.format(done=count(rows), all=len(rows)), "",
           "| group | implemented | of |", "|---|---|---|"]
    out += [f"| {group} | {count(groups[group])} | {len(groups[group])} |" for group in sorted(groups)]
    for group in sorted(groups):
        out += ["", f"## {group_prefix}{group}", "", f"| {' | '.join(columns)} |",
                "|" + "---|" * len(columns)]
        out += [f"| {' | '.join(cells(row))} |" for row in groups[group]]
    part = "\n".join(out) + "\n"
    before = ""
    if os.path.exists(path):
        with open(path) as file:
            before = file.read()
    parts = [text.rstrip("\n") + "\n" for text in re.split(r"^(?=# )", before, flags=re.M) if text.strip()]
    places = [i for i, text in enumerate(parts) if text.startswith(f"# {heading}\n")]
    if places:
        parts[places[0]] = part
    else:
        parts.append(part)
    write(path, "\n".join(parts))
