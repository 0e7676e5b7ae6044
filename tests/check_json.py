#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every key that a verb prints with --json is in the manual, and no other: check_json.py FIRN
SAMPLES MANUAL.

The section JSON KEYS has a paragraph for each verb, or for some together. FIRN_LONG=1 runs
`bench trunk` too, which takes ten seconds.
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from firn_watch import MODEL, Watch

t = Watch(sys.argv)
LONG = os.environ.get("FIRN_LONG") == "1"
PARTS = {"trunk", "batchnorm", "preprocess", "numeric"}
printed = {}  # by verb


def keys(value):
    found = set()
    if isinstance(value, dict):
        found |= value.keys()
        for key, part in value.items():
            if key not in ("fingerprint", "a", "b") or not PARTS <= part.keys():
                found |= keys(part)
    elif isinstance(value, list):
        for part in value:
            found |= keys(part)
    return found


def see(verb, lines):
    for line in lines.splitlines():
        printed.setdefault(verb, set()).update(keys(json.loads(line)))


def look(verb, *args, expect=0):
    see(verb, t.run(*verb.split(), "--json", *args, expect=expect))


def documented():
    """Bold words of each verb's paragraph: the keys, and verbs that it speaks of."""
    text = Path(sys.argv[3]).read_text().split("# JSON KEYS\n")[1].split("\n# ")[0]
    words = {}
    for paragraph in text.split("\n\n")[1:]:
        head = re.match(r"((?:\*[a-z ]+\*(?:, )?)+): ", paragraph)
        if head:
            bold = set(re.findall(r"\*(\w+)\*", paragraph[head.end():]))
            words.update(dict.fromkeys(re.findall(r"\*([a-z ]+)\*", head[1]), bold))
    return words


def verbs():
    """Those that take --json."""
    lists = [("", t.run("help")), ("bn ", t.run("bn", expect=2) or
                                  subprocess.run([t.firn, "bn"], stderr=subprocess.PIPE).stderr)]
    for before, text in lists:
        for name in re.findall(rb"^  (\w+)  ", text, re.M):
            verb = before + name.decode()
            if verb != "bn" and b"--json" in t.run("help", *verb.split()):
                yield verb


def probe(verb, *args):
    """As look(), where firn was built with liblbfgs."""
    done = subprocess.run([t.firn, *verb.split(), "--json", *map(str, args)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"liblbfgs" not in done.stderr:
        see(verb, done.stdout)
    return b"liblbfgs" in done.stderr


c, other, stats = t.dir / "c", t.dir / "other", t.dir / "s.safetensors"
photo = sorted(t.photos.rglob("*.jpg"))[0]
look("extract", "-q", *MODEL, "-o", c, t.photos)
t.run("extract", "-q", *MODEL, "--views", "flip", "-o", other, t.photos)
absent = probe("probe", "-q", "--epochs", "2", c) and {"probe", "bn advise"} or set()
probe("bn advise", "-q", *MODEL[:2], "--resize", "72", "--crop", "64", t.draw("more", 5))
look("ls", c)
look("stat", c)
look("show", c, photo)
look("show", other, photo)
look("why", c, other)
look("repair", c)
look("compact", c)
look("merge", t.dir / "merged", c)
look("model", "-l", "untrained:resnet18")
look("preview", photo, "-o", t.dir / "x.ppm")
look("bn estimate", "-q", *MODEL, "--method", "cumulative", "--shard", "1/1", "-o", t.dir / "sh",
     t.photos)
look("bn merge", "-o", stats, t.dir / "sh")
look("bn diff", stats, "untrained:resnet18")
look("bench", "pixels", t.photos)
look("bench", "pixels", photo)
look("bench", "cache", c)
if LONG:
    look("bench", "trunk")
segment = next(other.glob("seg-*"))
os.truncate(segment, segment.stat().st_size // 2)
look("verify", other, expect=65)

(t.photos / "ring" / "bad.jpg").write_text("no photograph")
t.start("--log", "json")
t.wait(lambda: t.status()["corrupt"] == 1, "the bad one is met")
look("status", t.cache)
t.stop()
see("watch", t.log.read_text())

words = documented()
takes = set(verbs()) | {"watch"}
names = takes | {"trunk", "pixels", "cache", "all"}
t.check(takes == words.keys(), f"verbs: {takes ^ words.keys()}")
for verb in sorted(takes & words.keys()):
    if verb in absent:
        continue
    seen = printed.get(verb, set())
    t.check(seen, f"{verb} was not run")
    t.check(seen <= words[verb], f"{verb}: not in the manual: {seen - words[verb]}")
    if verb not in ("bench", "ls", "repair", "compact", "merge"):
        t.check(words[verb] - names <= seen, f"{verb}: not printed: {words[verb] - names - seen}")
t.end()
