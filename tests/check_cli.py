#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs one command-line test and compares its transcript with the expected one beside it.

    check_cli.py [--update] FIRN SAMPLES tests/cli/NAME.sh...

Each script runs in an empty directory of its own with `firn` and `samples` in PATH, after lib.sh
beside it. What varies from run to run (times, rates, sizes of caches, hashes) is masked. Exit
status 77 means skipped, the reason is printed.
"""
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MASKS = [
    (r"blake2b:[0-9a-f]+", "blake2b:HASH"),
    (r"\b[0-9a-f]{16,64}\b|\b[0-9a-f]{12}\.\.\.", "HASH"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "TIME"),
    (r"\b\d+:\d\d\b", "CLOCK"),
    (r" *\b\d+\.\d+ (s|ms|images/s|MB/s|megapixels/s)\b", r" N \1"),
    (r"\b\d+(\.\d+)? (kB|MB|GB|bytes)\b", "N bytes"),
    (r"\d+% of N bytes", "N% of N bytes"),
    (r"slowest( stage)?: \w+", r"slowest\1: STAGE"),
    (r"\d+ threads?,? (generic|sse4|avx2|neon)\b", "N threads CPU"),
    (r"\b(process|pid|PID) \d+", r"\1 N"),
    (r"\d+ photographs? (is|are) not stored", "N photographs are not stored"),
    (r"\d+ blocks?", "N blocks"),
    (r"seg-\d+", "seg-N"),
    (r'"mtime":[\d.]+', '"mtime":N'),
    (r"\(process N on [^)]+\)", "(process N on HOST)"),
    (r"firn \d+\.\d+\.\d+", "firn VERSION"),
]


def mask(text, scratch):
    text = text.replace(str(scratch), "DIR")
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    return text


def run(script, programs):
    """The masked transcript, or None and the reason when the test was skipped."""
    home = Path(tempfile.mkdtemp(prefix="firn-cli-"))
    try:
        home.chmod(0o755)  # some tests go on as another user
        for program in programs:
            shutil.copy(program, home)
        scratch = home / "t"
        scratch.mkdir()
        scratch.chmod(0o777)
        env = {"PATH": f"{home}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "TZ": "UTC",
               "HOME": str(scratch), "CLI": str(script.parent.resolve()), "TMPDIR": str(home)}
        for name in os.environ:
            if name.endswith("SAN_OPTIONS"):
                env[name] = os.environ[name]
        result = subprocess.run(
            ["/bin/sh", "-c", '. "$CLI/lib.sh"; . "$1"', "test", script.resolve()], cwd=scratch,
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=600)
        text = result.stdout.decode("utf-8", "backslashreplace")
        if result.returncode == 77:
            return None, text.splitlines()[-1] if text else "no reason given"
        text = mask(text, scratch)
        if result.returncode:
            text += f"the test itself ended with {result.returncode}\n"
        return text, None
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", home], stderr=subprocess.DEVNULL)
        shutil.rmtree(home, ignore_errors=True)


def main(args):
    update = args[:1] == ["--update"]
    programs, scripts = args[update:][:2], [Path(a) for a in args[update:][2:]]
    status = 0
    for script in scripts:
        text, skipped = run(script, programs)
        expected = script.with_suffix(".expected")
        if text is None:
            print(f"SKIP: {skipped}")
            status = status or 77
        elif update:
            expected.write_text(text)
        elif text != expected.read_text():
            sys.stdout.writelines(difflib.unified_diff(
                expected.read_text().splitlines(True), text.splitlines(True), str(expected), "now"))
            status = 1
    return status


sys.exit(main(sys.argv[1:]))
