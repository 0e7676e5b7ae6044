#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Text rules of the whole tree, and the manual against the program: check_lint.py ROOT FIRN."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

root, firn = Path(sys.argv[1]), sys.argv[2]
TEXT = {".c", ".h", ".py", ".sh", ".build", ".md", ".scd", ".bash", ".txt", ".pml", ".S", ""}
SKIP = {".git", "golden", "data"}
bad, skipped = [], []


def files():
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if any(p in SKIP or p.startswith("build") for p in parts) or not path.is_file():
            continue
        if path.suffix in TEXT and not (path.suffix == "" and b"\0" in path.read_bytes()[:4096]):
            yield path


def check_text(path):
    name = path.relative_to(root)
    text = path.read_text(errors="replace")
    lines = text.split("\n")
    if text and not text.endswith("\n"):
        bad.append(f"{name}: no newline at the end")
    if path.suffix in (".c", ".h") and lines[0] != "/* SPDX-License-Identifier: MIT */":
        bad.append(f"{name}: begins without the licence line")
    if path.suffix in (".c", ".h") and len(lines) > 500:
        bad.append(f"{name}: {len(lines)} lines; at most 500")
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        if line != line.rstrip():
            bad.append(f"{where}: blanks at the end")
        if "\t" in line and path.suffix in (".c", ".h", ".py", ".sh"):
            bad.append(f"{where}: a tab")
        if len(line) > 120 and path.suffix in (".c", ".h", ".py", ".sh", ".build"):
            bad.append(f"{where}: {len(line)} columns; at most 120, aim at 100")


def check_shell():
    if not shutil.which("shellcheck"):
        skipped.append("no shellcheck")
        return
    scripts = [p for p in files() if p.read_bytes()[:2] == b"#!" and b"sh\n" in
               p.read_bytes().split(b"\n")[0] + b"\n"]
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
    for verb in verbs:
        text = subprocess.run([firn, "help", verb], stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        if f"*firn {verb}*" not in manual or f"# {verb.upper()}\n" not in manual:
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


for path in files():
    check_text(path)
check_shell()
check_manual()
print("\n".join(bad) if bad else "lint: nothing to say")
if skipped and not bad:
    print(f"SKIP: in part: {', '.join(skipped)}")
    sys.exit(77)
sys.exit(1 if bad else 0)
