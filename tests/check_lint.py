#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Lints the shell scripts and the manual: check_lint.py ROOT FIRN."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

root, firn = Path(sys.argv[1]), sys.argv[2]
bad, skipped = [], []


def check_shell():
    if not shutil.which("shellcheck"):
        skipped.append("no shellcheck")
        return
    scripts = [path for path in [*root.glob("tools/*"), root / ".ci/run"]
               if path.is_file() and re.match(rb"#!.*sh\n", path.read_bytes())]
    scripts += [root / "tools/completion/firn.bash", root / "tests/cli/lib.sh"]
    done = subprocess.run(["shellcheck", *scripts], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        bad.append(done.stdout)


def check_manual():
    """Every verb and every option of the program is in the manual."""
    source = root / "tools/man/firn.1.scd"
    manual = source.read_text()
    verbs = re.findall(r"^  ([a-z]+) +\S", subprocess.run(
        [firn, "help"], stdout=subprocess.PIPE, text=True, check=True).stdout, re.M)
    if len(verbs) < 10:
        bad.append(f"only these verbs in the help: {verbs}")
    verbs.remove("bn")
    verbs += ["bn " + verb for verb in re.findall(r"^  ([a-z]+) +\S", subprocess.run(
        [firn, "bn", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout, re.M)]
    for verb in verbs:
        text = subprocess.run([firn, *verb.split(), "--help"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        if f"*firn {verb}*" not in manual or f"# {verb.split()[0].upper()}\n" not in manual:
            bad.append(f"firn.1.scd: no section about {verb}")
        for option in re.findall(r"--[a-z][a-z-]*", text[text.index("\nOptions:"):]):
            if f"*{option}*" not in manual:
                bad.append(f"firn.1.scd: {verb} {option} is missing")
    if not shutil.which("scdoc") or not shutil.which("man"):
        skipped.append("no scdoc or no man")
        return
    page = subprocess.run(["scdoc"], input=source.read_bytes(), stdout=subprocess.PIPE, check=True)
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-"], input=page.stdout,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode or done.stderr:
        bad.append(f"firn.1.scd: {done.stderr.decode()}")


check_shell()
check_manual()
print("\n".join(bad) if bad else "lint: nothing to say")
if skipped and not bad:
    print(f"SKIP: in part: {', '.join(skipped)}")
    sys.exit(77)
sys.exit(1 if bad else 0)
