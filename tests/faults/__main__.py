"""`script/faults`: plays seeds in which things go wrong, and says which of them broke a promise."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from typing import Any

from tests.faults import sensitivity
from tests.faults.figures import Figures
from tests.faults.player import Found, Player, surroundings
from tests.faults.verdict import Verdict

Spread = Callable[..., Iterable[Any]]
"""`map` over all processes; with `ordered=False` whatever is there first comes first."""


def main() -> int:
    """0 if every seed has passed; with `--break`, 0 if every breakage was noticed."""
    arguments = _parse()
    with surroundings(), _processes(arguments.processes) as spread:
        return _break(arguments, spread) if arguments.breaks else _play(arguments, spread)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=None, metavar="N", help="how many (default 200; with --break 1,000 for each, at most)")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="S", help="the first seed (default 1)")
    parser.add_argument("--processes", type=int, default=None, metavar="N", help="how many at a time (default: one for each core)")
    parser.add_argument("--quiet", action="store_true", help="without any faults")
    parser.add_argument("--verbose", action="store_true", help="tell all that happens; for a seed that failed")
    parser.add_argument(
        "--break", action="append", default=[], dest="breaks", metavar="GUARD[+GUARD]",
        help="take guards out of the product and play until that is noticed; `all` for the whole table, `list` to see it",
    )  # fmt: skip
    arguments = parser.parse_args()
    arguments.processes = arguments.processes or (1 if arguments.verbose else len(os.sched_getaffinity(0)))
    arguments.seeds = arguments.seeds or (1000 if arguments.breaks else 200)
    return arguments


_player: Player | None = None


def _start() -> None:
    global _player  # noqa: PLW0603 - each process has one
    _player = Player()


def _played(seed: int, **how: Any) -> Verdict:
    assert _player is not None
    return _player.play(seed, **how)


def _found(guards: tuple[str, ...], **how: Any) -> Found:
    assert _player is not None
    return _player.find(guards, **how)


@contextmanager
def _processes(count: int) -> Iterator[Spread]:
    if count == 1:
        _start()
        yield lambda work, items, *, ordered=True: map(work, items)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(count, context, _start) as pool:

        def spread(work: Callable[[Any], Any], items: Iterable[Any], *, ordered: bool = True) -> Iterator[Any]:
            coming = [pool.submit(work, item) for item in items]
            return (each.result() for each in (coming if ordered else as_completed(coming)))

        yield spread


def _play(arguments: argparse.Namespace, spread: Spread) -> int:
    figures, began = Figures(), time.monotonic()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    for verdict in spread(partial(_played, quiet=arguments.quiet, story=_story(arguments)), seeds):
        figures.add(verdict)
    figures.tell(time.monotonic() - began, arguments.processes)
    return 1 if figures.failed else 0


def _story(arguments: argparse.Namespace) -> Callable[[str], None] | None:
    return partial(print, flush=True) if arguments.verbose else None


def _break(arguments: argparse.Namespace, spread: Spread) -> int:
    if arguments.breaks == ["list"]:
        sensitivity.tell_table()
        return 0
    missed = 0
    find = partial(_found, first=arguments.first, seeds=arguments.seeds, story=_story(arguments))
    for found in spread(find, sensitivity.chosen(arguments.breaks), ordered=False):
        missed += found.seed is None
        sensitivity.tell(found)
    print(f"{missed:,} not noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
