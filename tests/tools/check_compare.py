"""bench/compare calls a commit slower exactly when it is, however noisy the machine.

usage: check_compare.py ROOT-OF-THE-SOURCES
"""
import importlib.machinery
import importlib.util
import pathlib
import random
import subprocess
import sys


def load(path):
    loader = importlib.machinery.SourceFileLoader("compare", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare", loader))
    loader.exec_module(module)
    return module


def pairs(generator, count, factor, noise):
    """The machine's speed wanders from pair to pair; both of a pair see nearly the same."""
    found = []
    for _ in range(count):
        speed = generator.uniform(1, 2)
        found.append((100 * speed * generator.uniform(1, 1 + noise),
                      100 * factor * speed * generator.uniform(1, 1 + noise)))
    return found


def share_called_slower(compare, count, factor, noise):
    generator = random.Random(5)
    return sum(compare.judge(pairs(generator, count, factor, noise))[3] for _ in range(400)) / 400


def main():
    program = pathlib.Path(sys.argv[1]) / "bench" / "compare"
    compare = load(program)
    assert compare.median_interval([3, 1, 2]) == (2, 0.0, float("inf"))
    middle, low, high = compare.median_interval([1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert (middle, low, high) == (5, 2, 8), (middle, low, high)  # 96 % of nine values

    same = share_called_slower(compare, 9, 1.00, 0.10)
    assert same < 0.03, f"two equal programs were called different in {same:.0%}"
    at_the_limit = share_called_slower(compare, 9, 1.03, 0.10)
    assert at_the_limit < 0.06, f"3 % was called more than 3 % in {at_the_limit:.0%}"
    slower = share_called_slower(compare, 15, 1.10, 0.05)
    assert slower > 0.95, f"10 % was seen in {slower:.0%} only"
    never = share_called_slower(compare, 5, 2.00, 0.01)
    assert never == 0, "five pairs cannot say anything with 95 %"

    wrong = subprocess.run([program, "no-such-commit"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2 and "no-such-commit" in wrong.stderr, wrong
    wrong = subprocess.run([program, "HEAD", "--pairs", "0"], capture_output=True, text=True,
                           check=False)
    assert wrong.returncode == 2 and "--pairs" in wrong.stderr, wrong
    print("bench/compare says what is so")


main()
