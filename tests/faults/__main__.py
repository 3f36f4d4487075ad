"""`script/faults`: plays seeds in which things go wrong, and says which of them broke a promise."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import time
from collections import Counter

import django


def main() -> int:
    """0 if every seed has passed."""
    parser = argparse.ArgumentParser(prog="script/faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="how many (default 200)")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="S", help="the first seed (default 1)")
    parser.add_argument("--quiet", action="store_true", help="without any faults")
    parser.add_argument("--verbose", action="store_true", help="tell all that happens; for a seed that failed")
    arguments = parser.parse_args()
    home = tempfile.mkdtemp(prefix="fuelweb-faults-")
    os.environ |= {
        "FUELWEB_HOME": home,
        "DATABASE_URL": "sqlite://:memory:",
        "DJANGO_SETTINGS_MODULE": "fuelweb.settings",
        "LOG_LEVEL": "CRITICAL",
    }
    try:
        django.setup()
        return _play(arguments)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _play(arguments: argparse.Namespace) -> int:
    # Imported late: Django's models need its setup first, and that needs the environment of this run.
    world, database = importlib.import_module("tests.faults.world"), importlib.import_module("tests.faults.database").Database()
    story = print if arguments.verbose else None
    began, failed = time.monotonic(), []
    faults: Counter[str] = Counter()
    seeds_with: Counter[str] = Counter()
    failed_with: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    runs = virtual = 0
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        verdict = world.simulate(seed, database, quiet=arguments.quiet, story=story)
        faults += verdict.faults
        ends += verdict.ends
        runs, virtual = runs + verdict.runs, virtual + verdict.seconds
        happened = [kind for kind, count in verdict.faults.items() if count]
        seeds_with.update(happened)
        if verdict.findings:
            failed.append(seed)
            failed_with.update(happened)
            print(f"seed {seed} FAILED (script/faults --from {seed} --seeds 1 --verbose): {', '.join(sorted(happened)) or 'no faults'}")
            for finding in verdict.findings[:8]:
                print(f"    {finding}", flush=True)
    print(f"\n{'kind of fault':<32}{'injected':>10}{'seeds':>8}{'failed':>8}")
    for kind in sorted(faults):
        print(f"{kind:<32}{faults[kind]:>10,}{seeds_with[kind]:>8,}{failed_with[kind]:>8,}")
    seconds = time.monotonic() - began
    ended = ", ".join(f"{count:,} {end}" for end, count in sorted(ends.items()))
    print(f"\n{runs:,} attempts on nodes, {faults.total():,} faults; deployments: {ended}")
    print(f"{virtual / 3600:.1f} virtual hours in {seconds:.0f} s ({arguments.seeds / seconds:.1f} seeds/s)")
    print(f"{arguments.seeds - len(failed):,} passed, {len(failed):,} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
