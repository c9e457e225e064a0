"""Programs of others that are led against a server of ours: what `clients/run.py` and `journey/run.py` share.

A program prints the summary of `unittest`, `node --test`, `go test -v`, `cargo test`, or Maven Surefire. Programs whose
tool or packages this machine lacks are left out, and a line says so. Python's standard library alone.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import works_with
from doorward import Fault
from services import Postgres

PYTHON = pathlib.Path(__file__).resolve().parent / "clients/.cache/python/bin/python"
NODE = ["node", "--test", "--test-reporter=tap"]


class LeftOut(Exception):
    """Why a program cannot run on this machine."""


def counts(output):
    """How many cases passed and failed, by what the runner of the program prints."""
    if ran := re.findall(r"Tests run: (\d+), Failures: (\d+), Errors: (\d+)", output):
        total, failures, errors = map(int, ran[-1])
        return total - failures - errors, failures + errors
    if ran := re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed", output, re.MULTILINE):
        return sum(int(passed) for passed, _ in ran), sum(int(failed) for _, failed in ran)
    if cases := re.findall(r"^--- (PASS|FAIL): ", output, re.MULTILINE):
        return cases.count("PASS"), cases.count("FAIL")
    if ran := re.search(r"^Ran (\d+) tests? in ", output, re.MULTILINE):
        failed = sum(map(int, re.findall(r"(?:failures|errors)=(\d+)", output.rsplit("\n\n", 1)[-1])))
        return int(ran[1]) - failed, failed
    passed, failed = (re.search(rf"^# {word} (\d+)$", output, re.MULTILINE) for word in ("pass", "fail"))
    return (int(passed[1]), int(failed[1])) if passed and failed else (0, 1)


def outcome(command, folder, seconds_max, environment):
    """Runs one program. Returns how many of its cases passed and failed, and its output."""
    done = subprocess.run(
        command, cwd=folder, text=True, timeout=seconds_max, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    passed, failed = counts(done.stdout)
    # A program that ends badly has failed, whatever it printed; so has one that tried nothing.
    if not failed and (done.returncode != 0 or passed == 0):
        failed = 1
    return passed, failed, done.stdout


def run_chosen(programs, run):
    """Runs the programs that the command line chooses by words of their names, on the store that it chooses.
    `run` gets what stands behind the name of each, an empty folder, and the URL of a database or nothing;
    it returns an `outcome`. With `--record`, a program that passes is noted in `works_with.json`. Returns the exit code.
    """
    wanted = [word.lower() for word in sys.argv[1:] if not word.startswith("--")]
    chosen = [one for one in programs if not wanted or any(word in one[0].lower() for word in wanted)]
    if "--postgres" in sys.argv[1:]:
        with Postgres() as database:
            return run_all(chosen, run, database.url())
    return run_all(chosen, run, None)


def run_all(programs, run, store):
    total_passed = total_failed = 0
    for name, *program in programs:
        tool = program[0][0]
        if not shutil.which(tool):
            print(f"LEFT OUT: {name} ({tool} is not installed)", flush=True)
            continue
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="doorward-programs-") as folder:
            try:
                passed, failed, output = run(*program, folder, store)
            except LeftOut as reason:
                print(f"LEFT OUT: {name} ({reason})", flush=True)
                continue
            except (Fault, OSError, subprocess.TimeoutExpired) as fault:
                passed, failed, output = 0, 1, str(fault)
        where = " on PostgreSQL" if store else ""
        print(f"{name}{where}: {passed} passed, {failed} failed ({time.monotonic() - begun:.1f} s)", flush=True)
        if failed:
            print(output)
        elif "--record" in sys.argv[1:]:
            works_with.record(f"{pathlib.Path(sys.argv[0]).resolve().parent.name}: {name}")
        total_passed += passed
        total_failed += failed
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed or not total_passed else 0
