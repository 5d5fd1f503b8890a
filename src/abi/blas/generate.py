#!/usr/bin/env python3
"""Writes the exported functions of libguda_blas: generate.py routines.txt --output DIR

fortran.cpp and cblas.cpp hold one function for each routine, element type and integer width (sgemm_ and
cblas_sgemm with 32 bits, sgemm_64_ and cblas_sgemm_64 with 64): checks of the arguments in their order, the
error handler with the position of the first bad one, or the call. fortran_ilp64.cpp and cblas_ilp64.cpp have
the plain names with 64 bits, as a library of its own, libblas64, has them.
cpp_interface.cpp is behind include/guda/blas.h. blas.map is the version script.

generate.py routines.txt --headers include/guda renews the generated parts of blas.h and cblas.h.
"""
import argparse
import pathlib
import re
import sys
from dataclasses import dataclass

ELEMENTS = {"s": "float", "d": "double", "c": "std::complex<float>", "z": "std::complex<double>"}
REALS = {"s": "float", "d": "double", "c": "float", "z": "double"}
OPTIONS = {
    "trans": "Transpose", "transa": "Transpose", "transb": "Transpose", "symtrans": "Transpose",
    "hermtrans": "Transpose", "uplo": "Triangle", "diag": "Diagonal", "side": "Side",
}
SIZES = {"m", "n", "k", "kl", "ku"}
INCREMENTS = {"incx", "incy"}
SCALARS = {"alpha", "beta", "ralpha", "rbeta"}
WIDTHS = [("int32_t", "_", ""), ("int64_t", "_64_", "_64")]
PLAIN_64 = [("int64_t", "_", "")]
# Positions (in CBLAS) that the reference implementation exchanges for row-major matrices before it calls
# cblas_xerbla, where they are exchanged back. Handlers that programs bring along expect that.
EXCHANGED = {
    "gemv": {3: 4}, "gbmv": {3: 4, 5: 6}, "ger": {2: 3, 6: 8}, "gerc": {2: 3, 6: 8},
    "her2": {6: 8}, "hpr2": {6: 8}, "gemm": {4: 5, 9: 11}, "symm": {4: 5}, "hemm": {4: 5},
    "trmm": {6: 7}, "trsm": {6: 7},
}
# Written out by hand in other.cpp.
OTHERS = ["srotg", "drotg", "crotg", "zrotg", "srotmg", "drotmg", "scabs1", "dcabs1"]
OTHERS_FORTRAN_ONLY = ["lsame", "xerbla", "xerbla_array"]


@dataclass
class Argument:
    name: str
    written: bool = False
    rows: str = ""
    columns: str = ""


@dataclass
class Routine:
    routine: str
    names: list  # (letter, name)
    result: str
    layout: bool
    arguments: list
    meaning: str


def parse(path):
    for line in pathlib.Path(path).read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        line, meaning = line.split("|", 1)
        routine, names, result, *words = line.split()
        if "=" in names:
            pairs = [tuple(item.split("=")) for item in names.split(",")]
        else:
            pairs = [(letter, letter + routine) for letter in names]
        layout = words[0] == "layout"
        arguments = []
        for word in words[layout:]:
            name, *leading = word.split(":")
            rows, columns = leading or ("", "")
            arguments.append(Argument(name.rstrip("!"), name.endswith("!"), rows, columns))
        yield Routine(routine, pairs, result, layout, arguments, meaning.strip())


def is_integer(argument):
    return argument.name in SIZES | INCREMENTS or bool(argument.rows)


def option_check(argument, letter):
    """The condition under which a valid option is still refused."""
    if argument.name == "symtrans" and letter in "cz":
        return f"*{argument.name} == Transpose::conjugate"
    if argument.name == "hermtrans":
        return f"*{argument.name} == Transpose::yes"
    return ""


def dimension(expression):
    """A leading dimension's minimum with options as values."""
    return re.sub(r"\b(op|order)\((\w+),", r"\1(*\2,", expression)


def checks(routine, letter, row_major, shift):
    lines = []
    for position, argument in enumerate(routine.arguments, 1 + shift):
        name = argument.name
        condition = ""
        if name in OPTIONS:
            refused = option_check(argument, letter)
            condition = f"!{name}" + (f" || {refused}" if refused else "")
        elif argument.rows:
            rows, columns = dimension(argument.rows), dimension(argument.columns)
            least = rows if not row_major or rows == columns else f"(row_major ? {columns} : {rows})"
            condition = f"{name} < at_least_one({least})"
        elif name in SIZES:
            condition = f"{name} < 0"
        elif name in INCREMENTS:
            condition = f"{name} == 0"
        if condition:
            places = str(position)
            if row_major:
                exchanged = exchange(routine.routine, position)
                places += f", row_major ? {exchanged} : {position}" if exchanged != position else f", {position}"
            lines.append(f"  if ({condition}) return BAD({places});")
    return lines


def exchange(routine, position):
    pairs = EXCHANGED.get(routine, {})
    return {**pairs, **{b: a for a, b in pairs.items()}}.get(position, position)


def result_type(routine, letter, integer, fortran):
    if routine.result == "-":
        return "void"
    if routine.result == "index":
        return integer if fortran else "size_t"
    return {"T": ELEMENTS[letter], "R": REALS[letter]}.get(routine.result, routine.result)


def call(routine, letter, values):
    arguments = ", ".join(values)
    template = "" if routine.routine in ("dsdot", "sdsdot") else f"<{ELEMENTS[letter]}>"
    if routine.routine == "rot":
        template = f"<{ELEMENTS[letter]}, {REALS[letter]}>"
    return template, arguments


def values_of(routine):
    return [("*" if a.name in OPTIONS else "") + a.name for a in routine.arguments]


def scalar_type(argument, letter):
    return (REALS if argument.name.startswith("r") else ELEMENTS)[letter]


def fortran(routine, letter, name, integer, suffix):
    element = ELEMENTS[letter]
    parameters, locals_ = [], []
    for argument in routine.arguments:
        n = argument.name
        if n in OPTIONS:
            parameters.append(f"const char* {n}_")
            locals_.append(f"  const auto {n} = {OPTIONS[n].lower()}_of(*{n}_);")
        elif is_integer(argument):
            parameters.append(f"const {integer}* {n}_")
            locals_.append(f"  const int64_t {n} = *{n}_;")
        elif n in SCALARS:
            kind = scalar_type(argument, letter)
            parameters.append(f"const {kind}* {n}_")
            locals_.append(f"  const {kind} {n} = *{n}_;")
        else:
            const = "" if argument.written else "const "
            parameters.append(f"{const}{element}* {n}")
    result = result_type(routine, letter, integer, True)
    template, arguments = call(routine, letter, values_of(routine))
    statement = f"blas::{routine.routine}{template}({arguments})"
    if routine.result == "index":
        statement = f"static_cast<{integer}>({statement} + 1)"
    body = locals_ + (checks(routine, letter, False, 0) if routine.layout else [])
    body.append(f"  {'' if result == 'void' else 'return '}{statement};")
    text = "\n".join(body).replace("BAD(", f'report_fortran("{name.upper()}", ')
    return f"GUDA_EXPORT {result} {name}{suffix}({', '.join(parameters)}) {{\n{text}\n}}\n"


def c_parameters(routine, letter, integer, element_type):
    """(type and name, name) of each; element_type(letter) is the type behind pointers."""
    parameters = ["CBLAS_LAYOUT layout"] if routine.layout else []
    for argument in routine.arguments:
        n = argument.name
        if n in OPTIONS:
            kind = {"Transpose": "CBLAS_TRANSPOSE", "Triangle": "CBLAS_UPLO",
                    "Diagonal": "CBLAS_DIAG", "Side": "CBLAS_SIDE"}[OPTIONS[n]]
            parameters.append(f"{kind} {n}_")
        elif is_integer(argument):
            parameters.append(f"{integer} {n}")
        elif n in SCALARS:
            kind = scalar_type(argument, letter)
            by_value = kind in ("float", "double")
            parameters.append(f"{kind} {n}" if by_value else f"const {element_type(letter)}* {n}_")
        else:
            const = "" if argument.written else "const "
            parameters.append(f"{const}{element_type(letter)}* {n}")
    return parameters


def c_name(routine, letter, name):
    """Complex results come back through a last argument: cblas_cdotu_sub."""
    through_pointer = routine.result == "T" and letter in "cz"
    return f"cblas_{name}" + ("_sub" if through_pointer else ""), through_pointer


def cblas(routine, letter, name, integer, suffix):
    element = ELEMENTS[letter]
    parameters = c_parameters(routine, letter, integer, lambda l: ELEMENTS[l])
    full_name, through_pointer = c_name(routine, letter, name)
    result = result_type(routine, letter, integer, False)
    body = []
    for argument in routine.arguments:
        n = argument.name
        if n in OPTIONS:
            body.append(f"  const auto {n} = {OPTIONS[n].lower()}_of({n}_);")
        elif n in SCALARS and scalar_type(argument, letter) == element and letter in "cz":
            body.append(f"  const {element} {n} = *{n}_;")
    template, arguments = call(routine, letter, values_of(routine))
    statement = f"blas::{routine.routine}{template}({arguments})"
    if routine.layout:
        body.append("  const bool row_major = layout == CblasRowMajor;")
        body.append("  if (!row_major && layout != CblasColMajor) return BAD(1, 1);")
        body += checks(routine, letter, True, 1)
        body.append(f"  if (row_major) return blas::row_major::{routine.routine}{template}({arguments});")
    if through_pointer:
        parameters.append(f"{element}* result")
        statement = f"*result = {statement}"
        result = "void"
    elif routine.result == "index":
        statement = f"index_or_zero({statement})"
    body.append(f"  {'' if result == 'void' else 'return '}{statement};")
    text = "\n".join(body).replace("BAD(", f'report_cblas("{full_name}", ')
    return f"GUDA_EXPORT {result} {full_name}{suffix}({', '.join(parameters)}) {{\n{text}\n}}\n"


def declaration(routine, letter, name, integer, suffix):
    parameters = c_parameters(routine, letter, integer, lambda l: "void" if l in "cz" else ELEMENTS[l])
    parameters = [re.sub(r"_$", "", p) for p in parameters]
    full_name, through_pointer = c_name(routine, letter, name)
    result = result_type(routine, letter, integer, False)
    if through_pointer:
        parameters.append("void* result")
        result = "void"
    return f"{result} {full_name}{suffix}({', '.join(parameters)});"


def write(path, text):
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


# --- the C++ interface: include/guda/blas.h and what it calls

def cpp_parameters(routine):
    parameters = ["Layout layout"] if routine.layout else []
    for argument in routine.arguments:
        n = argument.name
        if n in OPTIONS:
            parameters.append(f"{OPTIONS[n]} {n}")
        elif is_integer(argument):
            parameters.append(f"int64_t {n}")
        elif n in SCALARS:
            parameters.append(("Real<T> " if n.startswith("r") else "T ") + n)
        else:
            parameters.append(("" if argument.written else "const ") + f"T* {n}")
    result = {"T": "T", "R": "Real<T>", "index": "int64_t"}.get(routine.result, routine.result)
    if result != "-":
        parameters.append(f"{result}* result")
    return ", ".join(["const Execution& execution"] + parameters)


def cpp_routines(routines):
    """Each once, with all its element types (gemmtr is gemmt)."""
    letters = {}
    for routine in routines:
        known = letters.setdefault(routine.routine, (routine, []))[1]
        known += [letter for letter, _ in routine.names if letter not in known]
    return letters.values()


def cpp_declarations(routines):
    text = []
    for routine, letters in cpp_routines(routines):
        types = "" if letters == list("sdcz") else " (" + ", ".join(ELEMENTS[l] for l in letters) + ")"
        text.append(f"/// {routine.meaning}{types}\n"
                    f"template <class T>\nint {routine.routine}({cpp_parameters(routine)});\n")
    return "\n".join(text)


def cpp_definitions(routines):
    text = []
    for routine, letters in cpp_routines(routines):
        # Options are enumerations: what they may still be wrong about depends on the type.
        body = []
        if routine.layout:
            body.append("  const bool row_major = layout == Layout::row_major;")
            refused = {a.name: option_check(a, "c") for a in routine.arguments}
            for name, condition in refused.items():
                if condition:
                    position = 2 + [a.name for a in routine.arguments].index(name)
                    condition = condition.replace(f"*{name}", name)
                    body.append(f"  if (is_complex<T> && {condition}) return {position};")
            for line in checks(routine, "s", True, 1):
                condition, position = re.match(r"  if \((.*)\) return BAD\((\d+),", line).groups()
                condition = re.sub(r"\*(\w+)", r"\1", condition)
                if not condition.startswith("!"):
                    body.append(f"  if ({condition}) return {position};")
        values = ", ".join(a.name for a in routine.arguments)
        template = "<T>" if routine.routine not in ("dsdot", "sdsdot") else ""
        if routine.routine == "rot":
            template = "<T, Real<T>>"
        call = f"blas::{routine.routine}{template}({values})"
        if routine.result != "-":
            call = f"*result = {call}"
        if routine.layout:
            call = f"row_major ? blas::row_major::{routine.routine}{template}({values}) : {call}"
        body.append(f"  return run(execution, [=] {{ {call}; }});")
        text.append(f"template <class T>\nint {routine.routine}({cpp_parameters(routine)}) {{\n"
                    + "\n".join(body) + "\n}\n")
        for letter in letters:
            parameters = re.sub(r" \w+(?=,|$)", "", cpp_parameters(routine))
            parameters = re.sub(r"\bReal<T>", REALS[letter], parameters)
            parameters = re.sub(r"\bT\b", ELEMENTS[letter], parameters)
            text.append(f"template GUDA_EXPORT int {routine.routine}<{ELEMENTS[letter]}>({parameters});")
        text.append("")
    return "\n".join(text)


def replace_between(path, begin, end, text):
    """Puts generated text between two marks of a source file."""
    old = path.read_text()
    head, rest = old.split(begin, 1)
    tail = rest.split(end, 1)[1]
    new = head + begin + text + end + tail
    return old, new


HEAD = "// Generated from routines.txt by generate.py.\n"


def entries(routines):
    return [(routine, letter, name) for routine in routines for letter, name in routine.names]


def write_functions(path, function, include, routines, widths):
    text = [function(*entry, *width) for entry in entries(routines) for width in widths]
    write(path, HEAD + '#include "abi/blas/arguments.h"\n' + include
          + "\nnamespace blas = guda::blas;\nusing namespace guda::abi;\n"
          + "using guda::blas::Transpose;\n\nextern \"C\" {\n\n" + "\n".join(text) + "\n}\n")


def renew_headers(routines, folder, check):
    c_declarations = "\n".join(
        declaration(routine, letter, name, integer, suffix)
        for integer, _, suffix in WIDTHS for routine, letter, name in entries(routines))
    stale = 0
    for file, text in (("blas.h", cpp_declarations(routines)), ("cblas.h", c_declarations + "\n")):
        path = folder / file
        old, new = replace_between(path, "// clang-format off: generated from the table of routines\n",
                                   "// clang-format on\n", text)
        if old == new:
            continue
        stale += 1
        if check:
            print(f"{path} is not what generate.py --headers writes")
        else:
            path.write_text(new)
    return stale if check else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--headers", type=pathlib.Path,
                        help="include/guda, where the generated parts of blas.h and cblas.h are renewed")
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")
    options = parser.parse_args()
    if options.headers:
        return renew_headers(list(parse(options.table)), options.headers, options.check)
    options.output.mkdir(parents=True, exist_ok=True)

    routines = list(parse(options.table))
    symbols = []
    for routine, letter, name in entries(routines):
        for integer, fortran_suffix, c_suffix in WIDTHS:
            symbols += [name + fortran_suffix, c_name(routine, letter, name)[0] + c_suffix]
    for name in OTHERS:
        for _, fortran_suffix, c_suffix in WIDTHS:
            symbols += [name + fortran_suffix, f"cblas_{name}{c_suffix}"]
    symbols += [f"{name}{suffix}" for name in OTHERS_FORTRAN_ONLY for suffix in ("_", "_64_")]
    symbols += ["cblas_xerbla", "cblas_xerbla_64", "RowMajorStrg", "CBLAS_CallFromC"]

    for file, widths in (("", WIDTHS), ("_ilp64", PLAIN_64)):
        write_functions(options.output / f"fortran{file}.cpp", fortran, "", routines,
                        [(integer, suffix) for integer, suffix, _ in widths])
        write_functions(options.output / f"cblas{file}.cpp", cblas, '#include "blas/row_major.h"\n',
                        routines, [(integer, suffix) for integer, _, suffix in widths])
    write(options.output / "cpp_interface.cpp",
          HEAD + '#include "abi/blas/execution.h"\n#include "blas/row_major.h"\n\n'
          + "namespace guda::blas {\nusing namespace guda::abi;\n\n" + cpp_definitions(routines)
          + "\n}  // namespace guda::blas\n")
    write(options.output / "blas_symbols.inc",
          "".join(f'"{symbol}",\n' for symbol in sorted(set(symbols))))
    # No version: programs linked against other BLAS libraries look for plain names.
    write(options.output / "blas.map",
          "{\n  global:\n" + "".join(f"    {symbol};\n" for symbol in sorted(set(symbols)))
          + "    guda_blas_*;\n    extern \"C++\" { *guda::blas::Execution*; };\n  local: *;\n};\n")


if __name__ == "__main__":
    sys.exit(main())
