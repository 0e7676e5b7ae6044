#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fails when a public header does not compile alone, or not twice in one file.

    check_headers.py ROOT COMPILER...

Strict C11 without extensions: what a program that embeds firn may well use.
"""
import subprocess
import sys
from pathlib import Path

FLAGS = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Wstrict-prototypes", "-Werror",
         "-fsyntax-only", "-x", "c", "-"]
root, compiler = Path(sys.argv[1]), sys.argv[2:]
headers = sorted((root / "include" / "firn").glob("*.h"))
failed = 0
for header in headers:
    line = f'#include "firn/{header.name}"\n'
    done = subprocess.run([*compiler, f"-I{root / 'include'}", *FLAGS], input=line + line,
                          capture_output=True, text=True)
    if done.returncode:
        failed += 1
        print(f"firn/{header.name} does not compile alone:\n{done.stderr}")
print(f"headers: {len(headers) - failed} of {len(headers)} compile alone")
sys.exit(1 if failed or not headers else 0)
