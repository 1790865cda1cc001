"""Runs a suite and expects it to end well, to print the given lines in any order and nothing else,
and to leave nothing.

usage: run_suite.py FOLDER-OF-PROGRAMS FOLDER-OF-THE-SUITE LINE...
"""
import os
import pathlib
import shutil
import sys

import program_run

TIME_LIMIT_S = 90


def main():
    programs, folder = (pathlib.Path(argument) for argument in sys.argv[1:3])
    with program_run.Place() as place:
        suite = place.root / "suite"
        shutil.copytree(folder, suite)
        # Scripts may read and run what is beside their suite file.
        if (programs / "sessionctl").is_file():
            shutil.copy(programs / "sessionctl", suite)
        run = place.start([programs / "flowdirector", "run", suite / "suite.toml",
                           "--system", f"test-{os.getpid()}", "--log-dir", place.root / "logs"],
                          PATH=f"{suite}:{os.environ['PATH']}")
        code, out, err = run.end(TIME_LIMIT_S)
        left = run.leftovers(err)
    problems = []
    if code != 0:
        problems.append(f"flowdirector ended with {code}")
    if sorted(out.splitlines()) != sorted(sys.argv[3:]):
        problems.append(f"printed {out!r}, not {sys.argv[3:]}")
    if left:
        problems.append(f"left {left}")
    if problems:
        print("\n".join(problems), err, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
