#!/usr/bin/env python3
"""Per cent of the multiply-add peak over n, for square products, as an SVG: a panel for each type and number
of threads that the CSV files of bench_blas have.

    bench/blas/plot.py OUT.svg FILE.csv...
"""

import csv
import math
import sys

WIDTH, HEIGHT = 430, 300  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 34, 40
COLOURS = ["#c2185b", "#1f77b4", "#2ca02c", "#ff7f0e", "#7f7f7f", "#9467bd"]


def read(paths):
    """{(type, threads): {library: {n: per cent}}} of square products, neither operand transposed."""
    panels = {}
    for path in paths:
        with open(path, newline="") as file:
            for kind, threads, m, n, k, ops, pad, library, percent in csv.reader(file):
                if m == n == k and ops == "NN" and pad == "0":
                    lines = panels.setdefault((kind, int(threads)), {})
                    lines.setdefault(library, {})[int(n)] = float(percent)
    return panels


def panel(title, lines, colours, x0, y0):
    sizes = sorted({n for points in lines.values() for n in points})
    low, high = math.log2(sizes[0]), math.log2(max(sizes[-1], 2 * sizes[0]))
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(n):
        return x0 + LEFT + inner_width * (math.log2(n) - low) / (high - low)

    def y(percent):
        return y0 + TOP + inner_height * (1 - percent / 100)

    out = [f'<text x="{x0 + LEFT}" y="{y0 + 20}" class="title">{title}</text>']
    for percent in range(0, 101, 20):
        out.append(
            f'<line x1="{x(sizes[0]):.1f}" y1="{y(percent):.1f}" x2="{x0 + WIDTH - RIGHT}" '
            f'y2="{y(percent):.1f}" class="grid"/>'
            f'<text x="{x0 + LEFT - 6}" y="{y(percent) + 4:.1f}" class="left">{percent}</text>'
        )
    for n in sizes:
        if n & (n - 1) == 0:
            out.append(f'<text x="{x(n):.1f}" y="{y0 + HEIGHT - 22}" class="below">{n}</text>')
    for library, points in lines.items():
        path = " ".join(f"{x(n):.1f},{y(min(points[n], 100)):.1f}" for n in sorted(points))
        width = 3 if library == "guda" else 1.5
        out.append(
            f'<polyline points="{path}" fill="none" stroke="{colours[library]}" '
            f'stroke-width="{width}"/>'
        )
    return out


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    panels = read(sys.argv[2:])
    if not panels:
        sys.exit("no square products in these files")
    libraries = []
    for lines in panels.values():
        libraries += [library for library in lines if library not in libraries]
    colours = {library: COLOURS[i % len(COLOURS)] for i, library in enumerate(libraries)}
    rows = math.ceil(len(panels) / 2)
    out = []
    for i, (kind, threads) in enumerate(sorted(panels, key=lambda key: (key[1], key[0]))):
        title = f"{kind}, {threads} thread{'s' if threads > 1 else ''}: % of peak over n = m = k"
        out += panel(title, panels[kind, threads], colours, i % 2 * WIDTH, i // 2 * HEIGHT)
    bottom = rows * HEIGHT
    for i, library in enumerate(libraries):
        left = LEFT + 130 * i
        out.append(
            f'<line x1="{left}" y1="{bottom + 12}" x2="{left + 24}" y2="{bottom + 12}" '
            f'stroke="{colours[library]}" stroke-width="3"/>'
            f'<text x="{left + 30}" y="{bottom + 16}">{library}</text>'
        )
    style = (
        "text{font:12px sans-serif;fill:#333}.title{font-size:14px}.left{text-anchor:end}"
        ".below{text-anchor:middle}.grid{stroke:#ddd}"
    )
    with open(sys.argv[1], "w") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" height="{bottom + 28}">\n'
            f'<style>{style}</style>\n<rect width="100%" height="100%" fill="white"/>\n'
        )
        file.write("\n".join(out) + "\n</svg>\n")


if __name__ == "__main__":
    main()
