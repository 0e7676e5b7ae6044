# SPDX-License-Identifier: MIT
"""A real daemon for the tests of `firn watch`."""
import atexit
import json
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

from firn_test import Bench

MODEL = ("-m", "untrained:resnet18", "--resize", "36", "--crop", "32")


class Watch(Bench):
    """A scratch directory with a runtime directory, photographs and a cache."""

    def __init__(self, argv):
        super().__init__(argv)
        runtime = self.dir / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        os.environ.pop("RUNTIME_DIRECTORY", None)
        self.photos, self.cache = self.dir / "photos", self.dir / "cache"
        self.draw("photos", 2)
        self.sample = sorted(self.photos.rglob("*.jpg"))[0].read_bytes()
        self.drawn = 0
        self.process = None
        atexit.register(self.leave_nothing)
        self.log = self.dir / "log"
        code = Path(self.firn).read_bytes()
        self.sanitized = b"__asan_init" in code or b"__tsan_init" in code
        self.patience = 60 if self.sanitized else 30

    def photograph(self):
        """The bytes of a photograph that no other has: a comment makes them its own."""
        self.drawn += 1
        text = b"number %d of %d" % (self.drawn, os.getpid())
        return (self.sample[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text +
                self.sample[2:])

    def start(self, *options, paths=None, ready=True, env=None, cache=None):
        command = [self.firn, "watch", *MODEL, *map(str, options), "-o",
                   str(cache or self.cache), *map(str, paths or (self.photos,))]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log,
                                            env=env)
        if ready:
            self.wait(lambda: self.status(quiet=True), "the daemon is ready")
        return self.process

    def start_with_clock(self):
        """
        Starts it with a clock on the wall that goes by a file: the file, for "+8h" and the like, or
        None where that cannot be. Other clocks are the real ones.
        """
        library = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
        if not library or self.sanitized:
            return None
        file = self.dir / "now"
        file.write_text("+0")
        self.start(env={**os.environ, "LD_PRELOAD": str(library),
                        "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
                        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"})
        return file

    def status(self, quiet=False):
        """The daemon's own words, or None."""
        done = subprocess.run([self.firn, "status", "--json", self.cache], capture_output=True)
        if done.returncode == 0:
            return json.loads(done.stdout)
        self.check(quiet, f"status ends with {done.returncode}: {done.stderr.decode()}")
        return None

    def ask(self):
        """The same without starting a program: for those who ask often, or measure."""
        path = next((self.dir / "runtime" / "firn").glob("*.sock"))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(b'{"do":"status"}\n')
            return json.loads(s.makefile().readline())

    def freeze(self):
        """Stops it with SIGSTOP, until SIGCONT, and waits until every thread stands still."""
        def stands():
            tasks = Path(f"/proc/{self.process.pid}/task").glob("*/stat")
            return all(task.read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks)
        self.process.send_signal(signal.SIGSTOP)
        self.wait(stands, "the daemon stands still")

    def descriptors(self):
        """How many the daemon has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_seconds(self):
        """That the daemon has used."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait(self, good, what, seconds=None):
        end = time.monotonic() + (seconds or self.patience)
        while time.monotonic() < end:
            result = good()
            if result:
                return result
            time.sleep(0.02)
        self.check(False, f"in vain: {what}; status {self.status(quiet=True)}; log: "
                          f"{self.log.read_text()[-2000:]}")
        return None

    def settled(self, what="all is done", seconds=None):
        """Waits until the daemon has nothing to do; its status."""
        def idle():
            status = self.status(quiet=True)
            return status if status and status["state"] == "idle" else None
        return self.wait(idle, what, seconds)

    def rows(self):
        """{path: state} of the cache."""
        out = subprocess.run([self.firn, "ls", "-a", "-0", self.cache], capture_output=True).stdout
        rows = {}
        for line in out.split(b"\0"):
            if line:
                _, path, _, state = line.split(b"\t", 3)
                rows[os.fsdecode(path)] = state.decode()
        return rows

    def done(self, path):
        return self.rows().get(str(path), "").startswith("done")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, expect=0, how=signal.SIGTERM):
        self.process.send_signal(how)
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.check(False, "the daemon does not end")
            self.kill()
        self.check(self.process.returncode == expect,
                   f"the daemon ended with {self.process.returncode}: {self.log.read_text()}")

    def expected(self):
        """Every photograph that is there now, by name."""
        return {str(path) for path in self.photos.rglob("*.jpg")}

    def complete(self):
        """Everything is in the cache, whole."""
        rows = self.rows()
        missing = [path for path in self.expected() if not rows.get(path, "").startswith("done")]
        self.check(not missing, f"{len(missing)} are missing, such as {missing[:3]}")
        self.run("verify", "-q", self.cache)

    def leave_nothing(self):
        """However the test ends; also what went into the background."""
        if self.process and self.process.poll() is None:
            self.kill()
        if self.dir.exists():
            subprocess.run([self.firn, "stop", self.cache], capture_output=True)

    def end(self):
        self.leave_nothing()
        super().end()


def write_in_steps(path, data, steps, pause):
    """As a slow copy does; one open file."""
    size = len(data) // steps + 1
    with open(path, "wb", buffering=0) as file:
        for at in range(0, len(data), size):
            file.write(data[at:at + size])
            time.sleep(pause)


def shuffled(items):
    items = list(items)
    random.shuffle(items)
    return items
