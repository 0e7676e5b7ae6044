#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How the daemon fits into a system: check_watch_manners.py FIRN SAMPLES."""
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from firn_watch import MODEL, Watch

t = Watch(sys.argv)


def service_manager():
    """sd_notify: ready when it is, alive while it is, stopping when told; no watchdog, no noise."""
    path = t.dir / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        s.settimeout(t.patience)
        t.start(env={**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "200000"})
        said = [s.recv(4096).decode() for _ in range(5)]
        t.check(said[0] == "READY=1", f"ready first: {said}")
        t.check(said.count("WATCHDOG=1") >= 3, f"signs of life: {said}")
        t.process.send_signal(signal.SIGHUP)
        while not s.recv(4096).startswith(b"RELOADING=1"):
            pass
        start = time.monotonic()
        t.stop()
        took = time.monotonic() - start
        print(f"SIGTERM to the end: {took:.2f} s")
        s.setblocking(False)
        last = b""
        try:
            while True:
                last = s.recv(4096)
        except BlockingIOError:
            pass
        t.check(last == b"STOPPING=1", f"stopping last: {last}")


def logs():
    """JSON lines; priorities of the journal; one line whatever a name holds."""
    bad = t.photos / "ring" / "evil\n<0>name.jpg"
    bad.write_bytes(b"nothing")
    t.log.write_text("")
    t.start("--log", "json")
    t.settled()
    t.stop()
    lines = [json.loads(line) for line in t.log.read_text().splitlines()]
    t.check(any(line["level"] == "warning" and line.get("path") == str(bad) for line in lines),
            f"JSON: {lines}")
    bad.write_bytes(b"nothing else")
    t.log.write_text("")
    t.start("--log", "journal")
    t.settled()
    t.stop()
    lines = t.log.read_text().splitlines()
    t.check(all(line[:3] in ("<4>", "<6>") for line in lines) and
            sum(line.startswith("<4>") for line in lines) == 1, f"journal: {lines}")
    bad.unlink()


def metrics():
    """OpenMetrics, by a parser that others use."""
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        print("no python3-prometheus-client: metrics are not parsed")
        return
    file = t.dir / "firn.prom"
    t.start("--metrics-file", file)
    status = t.settled()
    text = t.run("metrics", t.cache).decode()
    t.wait(file.exists, "the metrics file")
    t.check(file.stat().st_mode & 0o777 == 0o644, "others can read it")
    for source in (text, file.read_text()):
        values = {}
        for family in text_string_to_metric_families(source):
            for sample in family.samples:
                values[sample.name, *sample.labels.values()] = sample.value
        t.check(values["firn_photographs_total", "computed"] >= 0, "photographs by outcome")
        if source is text: # the file may be from before the first look
            t.check(values["firn_directories_watched",] >= 5, f"directories: {values}")
        t.check(("firn_build_info", "0.1.0") in values, f"build info: {values}")
    t.check(values["firn_start_time_seconds",] == status["started"], "start time")
    t.stop()


def configuration():
    """A file of options; the command line counts more; mistakes are named."""
    file = t.dir / "firn.conf"
    file.write_text(f"; photographs\nmodel = {MODEL[1]}\nresize = 36\ncrop = 32\n"
                    f"output = {t.dir / 'nowhere'}\ndirectory = {t.photos}\nexclude = no*\n"
                    f"exclude = never*\nac-only = no\n")
    done = subprocess.run([t.firn, "watch", "--config", file, "-o", t.cache, "-B"],
                          capture_output=True, text=True)
    if done.returncode == 2 and "inih" in done.stderr:
        print("no inih: configuration is not tested")
        return
    t.check(done.returncode == 0, f"it starts: {done.stderr}")
    for name in ("no.jpg", "never.jpg", "yes.jpg"):
        (t.photos / "ring" / name).write_bytes(t.photograph())
    t.wait(lambda: t.done(t.photos / "ring" / "yes.jpg"), "it works")
    t.settled()
    t.check(not {"no.jpg", "never.jpg"} & {Path(p).name for p in t.rows()}, "what is excluded")
    t.run("stop", t.cache)
    again(file)
    wrong = {"modle = x": "unknown option 'modle' (did you mean model?)", "settle = none": "whole",
             "ac-only = maybe": "neither yes nor no", "what": "neither", "[watch]": "sections",
             "directory =": "directory is empty", "config = x": "command line",
             f"directory = {'/long' * 60}": "too long"}
    for line, words in wrong.items():
        file.write_text(f"; a comment\n  rescan = 60\n{line}\noutput = x\n")
        done = subprocess.run([t.firn, "watch", "--config", file], capture_output=True, text=True)
        t.check(done.returncode == 78 and done.stderr.count("\n") == 1 and words in done.stderr
                and f"{file}: line 3: " in done.stderr, f"{line[:20]}: {done.stderr}")
    t.run("watch", "--config", t.dir / "missing.conf", expect=66)


def ask_for_the_lock(stop):
    """Again and again: the cache is never free."""
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    free = asked = 0
    with open(t.cache / "LOCK", "r+b") as file:
        while not stop.is_set():
            answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, lock)
            free += struct.unpack("hhqqi4x", answer)[0] == fcntl.F_UNLCK
            asked += 1
            time.sleep(0.001)
    t.check(free == 0 and asked > 0, f"the cache was free {free} times of {asked}")


def again(file):
    """SIGHUP reads the file again: what can change does, what cannot is named, nothing is lost."""
    other, lines = t.dir / "more", [f"model = {MODEL[1]}", "resize = 36", "crop = 32"]
    other.mkdir()
    (other / "plain.jpg").write_bytes(t.photograph())

    def write(*more):
        file.write_text("\n".join([*lines, f"directory = {t.photos}", *more]) + "\n")

    def hangup(words):
        t.log.write_text("")
        t.process.send_signal(signal.SIGHUP)
        t.wait(lambda: words in t.log.read_text(), words)
        return t.settled()

    write("exclude = late*")
    with open(t.log, "wb") as log:
        t.process = subprocess.Popen([t.firn, "watch", "--config", file, "-o", t.cache],
                                     stdin=subprocess.DEVNULL, stderr=log)
    t.wait(lambda: t.status(quiet=True), "it is ready")
    late = t.photos / "ring" / "late.jpg"
    late.write_bytes(t.photograph())
    first = t.settled()
    status = hangup("was read again")
    t.check(status["started"] == first["started"] and "goes by it" not in t.log.read_text(),
            "nothing has changed")
    write(f"directory = {other}", "rescan = 600", "log = json")
    t.run("pause", t.cache)
    t.process.send_signal(signal.SIGHUP)
    t.wait(lambda: t.log.read_text().count('"message":"the configuration'), "in JSON from now on")
    t.check(t.status()["state"] == "paused", f"it was paused: {t.status()}")
    t.run("resume", t.cache)
    t.wait(lambda: t.done(late) and t.done(other / "plain.jpg"), "another root, other patterns")
    t.check(0 < t.status()["next_rescan"] - time.time() <= 600, "another period")
    after = other / "after.jpg"
    after.write_bytes(t.photograph())
    t.wait(lambda: t.done(after), "the new root is watched")
    lines[0] = "model = untrained:resnet34"
    write("store = f16", "views = ten")
    hangup("model = untrained:resnet34, views = ten, store: cannot change")
    hangup("was read again")
    t.check("cannot change" not in t.log.read_text(), "said once")
    write("store = f16", "views = five")
    hangup("model = untrained:resnet34, views = five, store: cannot change")
    t.check(len(t.rows()) == len([*t.photos.rglob("*.jpg")]) + 2, "a root that is not watched "
            "any more is not forgotten")
    lines[0] = f"model = {MODEL[1]}"
    write(f"directory = {t.dir / 'nowhere'}")
    hangup("the configuration stays as it was")
    write("log = json")
    hangup('"message":"the configuration was read again"')
    write("log = json", "settle = never")
    status = hangup("the configuration stays as it was")
    lines_now = t.log.read_text().lstrip("\0").splitlines()  # it goes on behind what was cut
    words = [json.loads(line)["message"] for line in lines_now]
    t.check(any(f"{file}: line 6: --settle: 'never'" in word for word in words), words)
    t.check(status["errors"][-1]["message"] in words, f"it is kept: {status['errors']}")
    file.unlink()
    os.mkfifo(file)
    hangup("is not a regular file")
    file.unlink()
    write()
    hangup("was read again")
    file.unlink()
    one = t.photos / "ring" / "one.jpg"
    one.write_bytes(t.photograph())
    t.wait(lambda: t.done(one), "it goes on as before")
    descriptors = t.descriptors()
    stop = threading.Event()
    rival = threading.Thread(target=ask_for_the_lock, args=(stop,))
    rival.start()
    for i in range(10):
        write(f"settle = {100 + i}")
        hangup("goes by it")
    stop.set()
    rival.join()
    t.check(t.descriptors() <= descriptors, "no descriptor leaks")
    t.stop()
    t.run("verify", "-q", t.cache)


def weak_machines():
    """The model's memory is given back and taken again; a limit of CPU time; times of the day."""
    t.start("--idle-unload", 1)
    t.settled()
    t.wait(lambda: not t.status()["model_loaded"], "the model is given back")
    memory = t.status()["memory"]
    print(f"idle: {memory / 1e6:.1f} MB resident")
    if not t.sanitized:
        t.check(memory < 40e6, f"{memory} bytes without the model")
    loads = t.status()["model_loads"]
    new = t.photos / "ring" / "after.jpg"
    new.write_bytes(t.photograph())
    t.wait(lambda: t.done(new), "the model is loaded again")
    t.check(t.status()["model_loads"] == loads + 1, "once")
    for i in range(4):
        t.wait(lambda: not t.status()["model_loaded"], "the model is given back again")
        new.write_bytes(t.photograph())
        t.wait(lambda i=i: t.status()["model_loads"] == loads + i + 2, "and loaded again")
    t.wait(lambda: not t.status()["model_loaded"], "the model is given back in the end")
    more = t.status()["memory"] - memory
    t.check(t.sanitized or more < 8e6, f"{more} bytes more when it was given back five times")
    nice = os.getpriority(os.PRIO_PROCESS, t.process.pid)
    t.check(nice == 10 and os.sched_getscheduler(t.process.pid) == os.SCHED_BATCH,
            f"low priority: {nice}")
    t.stop()

    # Now is never within the minute that began an hour ago.
    hour = (time.localtime().tm_hour - 2) % 24
    t.start("--only-between", f"{hour:02}:00-{hour:02}:01", "--priority", "normal")
    later = t.photos / "ring" / "later.jpg"
    later.write_bytes(t.photograph())
    t.wait(lambda: t.status()["queued"] == 1, "it is noticed")
    status = t.status()
    t.check(status["state"] == "waiting" and "until" in status["why"], f"not now: {status}")
    t.check(os.getpriority(os.PRIO_PROCESS, t.process.pid) == 0, "normal priority")
    t.stop()
    t.start("--only-between", "00:00-24:00")
    t.wait(lambda: t.done(later), "now")
    t.stop()
    t.run("watch", *MODEL, "-o", t.cache, "--only-between", "night", t.photos, expect=2)


def unit():
    """The system's unit lets the daemon do little, by systemd's own measure."""
    file = Path(t.firn).parent / "firn@.service"
    if not shutil.which("systemd-analyze") or not file.exists():
        print("no systemd-analyze: the unit is not examined")
        return
    copy = t.dir / "firn@x.service"
    copy.write_bytes(file.read_bytes())
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", copy],
                          capture_output=True, text=True)
    found = re.search(r"exposure level for \S+ ([0-9.]+)", done.stdout)
    t.check(found and float(found.group(1)) <= 2.0, f"exposure: {done.stdout[-500:]} {done.stderr}")
    print(f"exposure {found.group(1) if found else '?'}")
    for name in ("firn@", "firn-user@"):
        unit_ = t.dir / f"{name}y.service"
        words = (Path(t.firn).parent / f"{name}.service").read_text()
        unit_.write_text(re.sub("^ExecStart=[^ ]*", f"ExecStart={t.firn}", words, flags=re.M))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit_],
                              capture_output=True, text=True)
        about = [line for line in done.stderr.splitlines() if name in line]
        t.check(done.returncode == 0 and not about, f"verify: {done.returncode} {done.stderr}")


def model_changes():
    """Other weights under the same name, after the first were given back: the daemon ends."""
    model = t.dir / "model.pth"
    try:
        import torch
        import torchvision
    except ImportError:
        print("no torch: weights that change are not tested")
        return
    cache = t.cache
    t.cache = t.dir / "other"
    for seed in (1, 2):
        torch.manual_seed(seed)
        torch.save(torchvision.models.resnet18().state_dict(), model)
        if seed == 1:
            t.start("--idle-unload", 1, "-m", model)
            t.settled()
            t.wait(lambda: not t.status()["model_loaded"], "the model is given back")
    (t.photos / "ring" / "other.jpg").write_bytes(t.photograph())
    t.process.wait(t.patience)
    t.check(t.process.returncode == 78, f"it ends with {t.process.returncode}")
    t.run("verify", "-q", t.cache)
    t.cache = cache


def clock():
    """The clock on the wall goes back and forth by years: nothing is done twice, all is done."""
    file = t.start_with_clock()
    if not file:
        print("no libfaketime: jumps of the clock are not tested")
        return
    t.settled()
    before = t.status()
    for i, jump in enumerate(("+10y", "-10y", "+1d", "-1h", "+0") * 4):
        file.write_text(jump)
        new = t.photos / "ring" / f"clock{i}.jpg"
        new.write_bytes(t.photograph())
        t.wait(lambda new=new: t.done(new), f"a photograph at {jump}")
    status = t.settled()
    t.check(status["done"] - before["done"] == 20 and status["rescans"] == before["rescans"],
            f"20 photographs, no full look: {status}")
    t.stop()


for test in (unit, clock, service_manager, logs, metrics, configuration, weak_machines,
             model_changes):
    start = time.monotonic()
    test()
    print(f"{test.__name__}: {time.monotonic() - start:.1f} s", flush=True)
t.end()
