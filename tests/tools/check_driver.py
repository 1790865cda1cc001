"""The demo's driver says `exact` when and only when the suite's report is the reference's and every
kill landed. A stand-in for the director writes the report here, right or wrong.

usage: check_driver.py FOLDER-OF-PROGRAMS FOLDER
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

DIRECTOR = """#!/usr/bin/env python3
import json, os, pathlib, subprocess, sys
folder = pathlib.Path(sys.argv[2]).parent
assert sys.argv[1] == "run" and (folder / "web-sessions-worker").exists()
reference = pathlib.Path(__file__).parent / "demo-reference"
report = json.loads(subprocess.check_output([reference, folder / "input.log"]))
report["elapsed_ns"] = 1000000
key = os.environ.get("SPOIL")
if key in report:
    report[key] = [] if key == "top_pages" else {} if key == "status" else report[key] + 1
if key != "no report":
    (folder / "out" / "report.json").write_text(json.dumps(report))
sys.exit(1 if key == "director fails" else 0)
"""


def main():
    programs, folder = (pathlib.Path(argument) for argument in sys.argv[1:])
    shutil.rmtree(folder, ignore_errors=True)
    temporary = folder / "temporary"
    temporary.mkdir(parents=True)
    for name in ("web-sessions", "demo-reference", "demo-generate", "web-sessions.toml"):
        shutil.copy(programs / name, folder / name)
    (folder / "flowdirector").write_text(DIRECTOR)
    (folder / "flowdirector").chmod(0o755)
    (folder / "web-sessions-worker").write_text("stand-in")
    log = folder / "short.log"
    subprocess.run([folder / "demo-generate", "--lines", "2000", "--output", log], check=True)

    failures = []

    def expect(code, last_line, *arguments, spoil=""):
        environment = dict(os.environ, SPOIL=spoil, TMPDIR=str(temporary))
        done = subprocess.run([folder / "web-sessions", *arguments], env=environment, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = done.stdout.splitlines() or [""]
        if done.returncode != code or (last_line is not None and lines[-1] != last_line):
            failures.append(f"{arguments} spoil={spoil!r}: {done.returncode}, {done.stdout!r}, "
                            f"{done.stderr!r}")
        if list(temporary.iterdir()):
            failures.append(f"{arguments} left {list(temporary.iterdir())}")
        return done.stdout

    short = ("--input", str(log))
    expect(0, "result: exact", *short)
    for key in ("requests", "bytes", "visitors", "sessions", "status", "top_pages", "malformed",
                "no report", "director fails"):
        expect(1, "result: WRONG", *short, spoil=key)
    expect(1, "result: WRONG", *short, "--chaos", "1")
    expect(2, None, "--input", str(folder / "absent.log"))
    expect(2, None, "--chaos", "-1")
    if json.loads(expect(1, None, *short, "--json", spoil="no report")) != {"result": "WRONG"}:
        failures.append("--json without a report does not say WRONG")
    report = json.loads(expect(0, None, *short, "--json"))
    keys = {"requests", "bytes", "visitors", "sessions", "status", "top_pages", "malformed",
            "lines_per_s", "kills", "result"}
    if set(report) != keys or report["result"] != "exact" or report["lines_per_s"] != 2000000:
        failures.append(f"--json printed {report}")
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
