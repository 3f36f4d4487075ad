"""`script/chaos [--runs N] [--seed S]`: random faults at random moments, every third with a stop, and what came of them in figures."""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.acceptance.chaos.faults import FAULTS
from tests.acceptance.chaos.play import Round, play
from tests.acceptance.chaos.postgres import NoPostgres
from tests.acceptance.chaos.system import System

_STOPPED = 1 / 3


def main() -> int:
    """The exit status: 0 if every round was passed."""
    options = _options()
    # A TERM ends everything as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        rounds = _play(options.runs, options.seed, options.fault or sorted(FAULTS))
    except NoPostgres as reason:
        print(f"Chaos needs a PostgreSQL of its own: {reason}. Install the package postgresql.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    failed = [played for played in rounds if played.wrong]
    print("\n".join(_figures(rounds)))
    print(f"{len(rounds) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/chaos", description="Strikes real processes with random faults; says what comes of it.")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="how many rounds (default 20)")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="S", help="plays the same rounds again (default: a new one)")
    parser.add_argument(
        "--fault", action="append", choices=sorted(FAULTS), metavar="NAME", help="only this fault; may be given several times"
    )
    return parser.parse_args()


def _play(count: int, seed: int, names: Sequence[str]) -> list[Round]:
    """Round `n` of a seed is the same whatever the rounds before have come to."""
    rounds: list[Round] = []
    print(f"seed {seed}", flush=True)
    while len(rounds) < count:
        with System() as system:
            while len(rounds) < count:
                chance = random.Random(f"{seed} {len(rounds)}")
                name, stop = chance.choice(names), chance.random() < _STOPPED
                played = play(system, name, stop=stop, chance=chance)
                rounds.append(played)
                print(_line(len(rounds), played, stop), flush=True)
                if played.wrong:
                    # What is left of it would disturb the next.
                    print(system.logs(), flush=True)
                    break
    return rounds


def _line(number: int, played: Round, stop: bool) -> str:
    about = f"{number:4} {played.fault}{' and stopped' if stop else ''}"
    recovered = "nothing to recover" if played.recovery is None else f"recovered in {played.recovery:.1f} s"
    recalled = "" if played.recalled is None else f", recalled in {played.recalled:.1f} s"
    told = f"{about:55} {played.seconds:5.1f} s, {recovered}{recalled}, ended {' '.join(played.ended)}"
    return "\n".join([told, *(f"     WRONG: {sentence}" for sentence in played.wrong)])


def _figures(rounds: Sequence[Round]) -> list[str]:
    kinds = Counter(played.kind for played in rounds)
    times = [played.recovery for played in rounds if played.recovery is not None]
    recovery = f"p50 {statistics.median(times):.1f} s, max {max(times):.1f} s" if times else "nothing had to recover"
    return [
        f"task runs: {sum(played.runs for played in rounds)}",
        "faults by kind: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
        f"recovery: {recovery}",
    ]


if __name__ == "__main__":
    sys.exit(main())
