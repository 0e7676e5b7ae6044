#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fails when a source file breaks a rule of form that a machine can see.

    check_style.py [ROOT [PATH...]]

Files of src, include, tools and tests: at most 500 lines of at most 100 columns, no tabs, no blanks
at the end of a line, a newline at the end of the file, an SPDX line at the top, nothing marked as
still to be done; functions of at most 60 lines (a function begins at a brace in column 0). With
PATHs, only these files and folders; without, every snapshot test is in the list of
tests/meson.build as well.
"""
import re
import subprocess
import sys
from pathlib import Path

FOLDERS = ("src", "include", "tools", "tests")
ENDINGS = (".c", ".h", ".py", ".sh", ".pml", ".build", ".md")
MAX_LINES, MAX_COLUMNS, MAX_FUNCTION = 500, 100, 60
UNDONE = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")


def files_of(root, paths):
    """What git knows or would add; without git, everything."""
    listing = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", *paths],
                             capture_output=True, text=True)
    if listing.returncode == 0:
        names = [root / name for name in listing.stdout.splitlines()]
    else:
        names = [file for path in paths for file in [root / path, *(root / path).rglob("*")]]
    return sorted(path for path in set(names) if path.is_file())


def is_source(path):
    if path.suffix in ENDINGS:
        return True
    with open(path, "rb") as file: # scripts without an ending
        return path.suffix == "" and file.read(2) == b"#!"


def functions(lines):
    """Line number and length of every function of a C file."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif start and line.startswith("}"):
            yield start - 1, number - start + 1
            start = None


def complaints(path, lines, text):
    prose = path.suffix == ".md"
    bare = prose or path.suffix == ".build" or path.parent.name == "cli" # needs no licence line
    if len(lines) > MAX_LINES and not prose:
        yield 0, f"{len(lines)} lines, at most {MAX_LINES}"
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield len(lines), "ends without a newline, or with an empty line"
    if not bare and not any("SPDX-License-Identifier: MIT" in line for line in lines[:3]):
        yield 1, "no SPDX-License-Identifier line at the top"
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            yield number, "tab"
        if line != line.rstrip():
            yield number, "blank at the end of the line"
        if len(line) > MAX_COLUMNS and not prose:
            yield number, f"{len(line)} columns, at most {MAX_COLUMNS}"
        if UNDONE.search(line):
            yield number, "marked as not done"
    if path.suffix == ".c":
        for number, length in functions(lines):
            if length > MAX_FUNCTION:
                yield number, f"function of {length} lines, at most {MAX_FUNCTION}"


def never_run(root):
    """Snapshot tests that the list of them does not name: they cannot fail."""
    found = re.search(r"foreach name : \[([^]]*)\]\n  test\('cli-'",
                      (root / "tests/meson.build").read_text())
    for path in (root / "tests/cli").glob("*.sh"):
        if path.stem != "lib" and not (found and f"'{path.stem}'," in found.group(1)):
            yield f"{path.relative_to(root)}: is not in the list of tests/meson.build"


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    bad, seen = [], 0
    for path in files_of(root, sys.argv[2:] or FOLDERS):
        if not is_source(path):
            continue
        seen += 1
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            bad.append(f"{path.relative_to(root)}: not UTF-8")
            continue
        lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
        bad += [f"{path.relative_to(root)}:{number}: {what}"
                for number, what in complaints(path, lines, text)]
    bad += never_run(root) if len(sys.argv) < 3 else []
    print("\n".join(bad) if bad else f"style: {seen} files keep the rules")
    sys.exit(1 if bad or not seen else 0)


main()
