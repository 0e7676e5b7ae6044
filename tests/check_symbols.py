#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fails when a static library gives a symbol that does not begin with firn_.

    check_symbols.py LIBRARY...

A program that embeds firn must not find its own names taken.
"""
import re
import shutil
import subprocess
import sys

# Sanitizers and coverage add their own; position-independent code may add get_pc_thunk.
OF_THE_COMPILER = re.compile(r"^(__asan|__ubsan|__odr_asan|__tsan|__gcov|__x86\.|_GLOBAL_|DW\.ref)")

if not shutil.which("nm"):
    print("SKIP: nm is not installed")
    sys.exit(77)
bad, seen = [], 0
for library in sys.argv[1:]:
    listing = subprocess.run(["nm", "-A", "-g", "--defined-only", library],
                             capture_output=True, text=True)
    if listing.returncode:
        sys.exit(f"nm {library}: {listing.stderr}")
    for line in listing.stdout.splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        seen += 1
        if not words[-1].startswith("firn_") and not OF_THE_COMPILER.match(words[-1]):
            bad.append(f"{words[0].rstrip(':')}: {words[-1]} does not begin with firn_")
print("\n".join(bad) if bad else f"symbols: all {seen} begin with firn_")
sys.exit(1 if bad or not seen else 0)
