# SPDX-License-Identifier: MIT
"""Sums up what tools/check ran: check_summary.py DIRECTORY of meson logs and a list of steps."""
import json
import sys
from pathlib import Path

FAILED = {"FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"}


def reason(record):
    """Why a test was skipped: the last line it printed."""
    lines = (record.get("stdout") or "").splitlines() + (record.get("stderr") or "").splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    marked = [line for line in lines if line.startswith("SKIP")]
    return (marked or lines or ["no reason given"])[-1].removeprefix("SKIP:").strip()


def outcomes(directory):
    """Pairs of (name, None, "" or a reason): passed, failed, skipped."""
    for log in sorted(directory.glob("*.json")):
        build = log.stem.rsplit("-", 1)[0]
        for line in log.read_text(errors="replace").splitlines():
            record = json.loads(line)
            yield f"{build}: {record['name']}", record["result"], reason(record)
    steps = directory / "steps"
    for line in steps.read_text().splitlines() if steps.exists() else []:
        name, result = line.split("\t")
        word, _, why = result.partition(": ")
        yield name, word, why


passed, failed, skipped = 0, [], []
for name, result, why in outcomes(Path(sys.argv[1])):
    if result in FAILED:
        failed.append(name)
    elif result == "SKIP":
        skipped.append(f"{name}: {why}")
    else:
        passed += 1
for line in skipped:
    print(f"skipped  {line}")
for line in failed:
    print(f"failed   {line}")
if not passed:
    failed.append("nothing has passed")
print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
sys.exit(1 if failed else 0)
