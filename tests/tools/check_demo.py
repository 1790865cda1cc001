"""The demo is exact while its workers are killed, while its director is, and while another demo runs
beside it; it ends in order when it is told to, and leaves nothing.

usage: check_demo.py FOLDER-OF-PROGRAMS             on a sample of 20,000 lines
       check_demo.py FOLDER-OF-PROGRAMS LOG-FILE    on that log; exit code 77 when it is not there
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import program_run

TIME_LIMIT_S = 120
KILLS = 5
SKIPPED = 77
DIRECTOR = re.compile(r"director of system \S+: pid (\d+)")


def judge(name, run, kills, heard=""):
    code, out, err = run.end(TIME_LIMIT_S)
    err = heard + err
    try:
        report = json.loads(out)
    except ValueError:
        report = {}
    problems = []
    if code != 0 or report.get("result") != "exact" or report.get("kills") != kills:
        problems.append(f"{name}: ended with {code}, printed {out!r}")
    problems += [f"{name}: left {what}" for what in run.leftovers(err)]
    return problems + [err] if problems else []


def hear(run, is_it):
    """Reads stderr up to the first line that `is_it`."""
    heard = []
    for line in run.process.stderr:
        heard.append(line)
        if is_it(line):
            break
    return "".join(heard)


def judge_interrupted(run):
    """SIGTERM while scripts are being started: WRONG, and in order all the same."""
    heard = hear(run, lambda line: "started" in line and "count#4" in line)
    run.process.send_signal(signal.SIGTERM)
    code, out, err = run.end(TIME_LIMIT_S)
    problems = [] if code == 1 and out == "result: WRONG\n" else [f"interrupted: {code}, {out!r}"]
    problems += [f"interrupted: left {what}" for what in run.leftovers(heard + err)]
    return problems + [heard + err] if problems else []


def judge_director_killed(run, kills):
    """SIGKILL of the director: the next one takes the workers over, and nothing is lost."""
    heard = hear(run, DIRECTOR.search)
    director = int(DIRECTOR.search(heard).group(1))
    heard += hear(run, lambda line: line.startswith("kill "))
    os.kill(director, signal.SIGKILL)
    return judge("director killed", run, kills, heard)


def check(programs, log, runs):
    """`runs`: numbers of kills; all run at the same time, each in a place of its own."""
    problems = []
    with contextlib.ExitStack() as places:
        started = [places.enter_context(program_run.Place()).start(
            [programs / "web-sessions", "--json", "--input", log, "--chaos", str(kills)])
            for kills in runs]
        for run, kills in zip(started, runs):
            problems += judge(f"{log.name} with --chaos {kills}", run, kills)
    return problems


def main():
    programs = pathlib.Path(sys.argv[1])
    if len(sys.argv) > 2:
        log = pathlib.Path(sys.argv[2])
        if not log.exists():
            return SKIPPED
        problems = check(programs, log, [0, KILLS])
    else:
        with program_run.Place() as place:
            log = place.root / "sample.log"
            subprocess.run([programs / "demo-generate", "--lines", "20000", "--output", log],
                           check=True)
            problems = check(programs, log, [0, KILLS])
            demo = [programs / "web-sessions", "--input", log]
            problems += judge_interrupted(place.start(demo))
            problems += judge_director_killed(
                place.start([*demo, "--json", "--chaos", str(4 * KILLS)]), 4 * KILLS)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
