#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The service under a systemd that is alive: check_service.py FIRN SAMPLES TEMPLATE.

Boots this system's systemd in a container, over a copy of / in memory that is thrown away, and
works with firn@test as its user would. Needs root, systemd-nspawn and overlayfs.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SKIP = 77
CACHE = "/var/lib/private/firn/test.firn"
CONFIG = "model = untrained:resnet18\noutput = test.firn\ndirectory = /srv/photos\n"

firn, samples, unit = map(os.path.abspath, sys.argv[1:])


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def check(true, what):
    if not true:
        print(inside("journalctl -u firn@test --no-pager -o cat", any_status=True))
        sys.exit(f"failed: {what}")
    print(f"ok: {what}", flush=True)


def wait(test, what, seconds=40):
    end = time.monotonic() + seconds
    while not test() and time.monotonic() < end:
        time.sleep(0.2)
    check(test(), what)


def boot(base):
    """The container, and the process that is its systemd."""
    root = base / "root"
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", base], check=True)
    for name in ("root", "upper", "work"):
        (base / name).mkdir()
    if subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                       f"lowerdir=/,upperdir={base}/upper,workdir={base}/work", root]).returncode:
        skip("no overlay of /")
    for name in ("usr/local/bin", "etc/firn", "srv/photos"):
        (root / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(firn, root / "usr/local/bin/firn")
    shutil.copy(samples, root / "usr/local/bin/samples")
    (root / "etc/systemd/system/firn@.service").write_text(
        Path(unit).read_text().replace("@bindir@", "/usr/local/bin"))
    (root / "etc/firn/test.conf").write_text(CONFIG)
    nspawn = subprocess.Popen(
        ["systemd-nspawn", "-q", "-D", root, "-b", "--register=no", "--keep-unit",
         "systemd.unit=basic.target"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    end = time.monotonic() + 60
    while time.monotonic() < end and nspawn.poll() is None:
        first = children.read_text().split()
        if first and inside("systemctl is-active basic.target", pid=first[0]) == "active":
            return nspawn, first[0]
        time.sleep(0.5)
    nspawn.kill()
    skip("systemd does not boot in a container here")


def inside(command, pid=None, any_status=False):
    run = subprocess.run(["nsenter", "-t", pid or leader, "-m", "-p", "-u", "-i", "-n",
                          "sh", "-c", command], capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 or any_status else None


def show(fact):
    return inside(f"systemctl show -P {fact} firn@test")


def stored(n):
    listed = inside(f"firn ls {CACHE}")
    return listed is not None and len(listed.splitlines()) == n


def arrivals():
    check(inside("samples /srv/photos 2 && systemctl start firn@test") is not None, "it starts")
    check(show("ActiveState") == "active", "it says when it is ready")
    wait(lambda: stored(8), "what is there is stored")
    check("io_uring" in inside(f"ls -l /proc/{show('MainPID')}/fd"), "io_uring is allowed")
    check(show("User") == "firn" and inside("id firn") is not None, "it has a user of its own")
    inside("samples /root/new 3 && mv /root/new/ring/ring-03.jpg /srv/photos/ring/")
    wait(lambda: stored(9), "what comes is stored")


def reload():
    pid = show("MainPID")
    inside("echo settle = 300 >>/etc/firn/test.conf")
    check(inside("systemctl reload firn@test") is not None, "it reloads")
    wait(lambda: "was read again" in inside("journalctl -u firn@test -o cat"),
         "and takes what is new")
    check(show("MainPID") == pid and show("ActiveState") == "active", "in the same process")


def accidents():
    inside(f"kill -9 {show('MainPID')}")
    wait(lambda: show("NRestarts") == "1" and show("ActiveState") == "active",
         "killed, it comes again")
    inside(f"kill -STOP {show('MainPID')}")
    wait(lambda: show("NRestarts") == "2" and show("ActiveState") == "active",
         "what hangs is begun again", 120)
    inside("echo no-such-option = 1 >>/etc/firn/test.conf; systemctl restart firn@test")
    check(show("ExecMainStatus") == "78" and show("ActiveState") == "failed" and
          show("NRestarts") == "0", "a wrong configuration is not tried again")
    inside("sed -i /no-such/d /etc/firn/test.conf; systemctl start firn@test")
    wait(lambda: show("ActiveState") == "active", "mended, it starts")


def end():
    start = time.monotonic()
    inside("systemctl stop firn@test")
    check(time.monotonic() - start < 10 and show("Result") == "success", "it stops")
    check(inside(f"firn verify {CACHE}") is not None and stored(9), "the cache is whole")


if os.geteuid() != 0:
    skip("needs root")
if not shutil.which("systemd-nspawn"):
    skip("systemd-nspawn (systemd-container) is not installed")
base = Path(tempfile.mkdtemp(prefix="firn-service-"))
container = None
try:
    container, leader = boot(base)
    arrivals()
    reload()
    accidents()
    end()
finally:
    if container:
        container.terminate()
        container.wait()
    subprocess.run(["umount", "-q", base / "root"])
    subprocess.run(["umount", "-q", base])
    base.rmdir()
