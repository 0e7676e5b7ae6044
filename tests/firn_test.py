# SPDX-License-Identifier: MIT
"""What the Python tests share: running the programs, and skipping."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def need(*modules):
    """Imports Debian's packages, or skips."""
    found = []
    for name in modules:
        try:
            found.append(__import__(name))
        except ImportError as error:
            skip(f"no python3-{name}: {error}")
    return found


def data():
    """The directory of real photographs and weights, or None."""
    return Path(os.environ["FIRN_DATA"]) if os.environ.get("FIRN_DATA") else None


class Bench:
    """A scratch directory, the two programs, and a count of failed checks."""

    def __init__(self, argv):
        self.firn, self.samples = (str(Path(p).resolve()) for p in argv[1:3])
        self.scratch = tempfile.TemporaryDirectory(prefix="firn-test-")
        self.dir = Path(self.scratch.name)
        self.failed = 0

    def check(self, good, what):
        if not good:
            self.failed += 1
            print(f"failed: {what}", flush=True)

    def run(self, *args, expect=0, **more):
        """Runs firn; its standard output as bytes."""
        done = subprocess.run([self.firn, *map(str, args)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **more)
        self.check(done.returncode == expect,
                   f"firn {' '.join(map(str, args))} ended with {done.returncode}: "
                   f"{done.stderr.decode(errors='replace')}")
        return done.stdout

    def draw(self, name, n):
        subprocess.run([self.samples, self.dir / name, str(n)], check=True)
        return self.dir / name

    def end(self):
        self.scratch.cleanup()
        print("failed" if self.failed else "passed")
        sys.exit(1 if self.failed else 0)
