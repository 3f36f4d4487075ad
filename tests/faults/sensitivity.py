"""Which breakages of the product the simulation has to notice."""

from __future__ import annotations

from collections.abc import Iterable

from tests.faults.player import Found

BREAKS: dict[tuple[str, ...], str] = {}


def chosen(names: Iterable[str]) -> list[tuple[str, ...]]:
    """What was asked for, as guards to be taken out together."""
    wanted: list[tuple[str, ...]] = []
    for name in names:
        wanted += list(BREAKS) if name == "all" else [tuple(name.split("+"))]
    return wanted


def tell(found: Found) -> None:
    """One line."""
    name = " + ".join(found.guards)
    if found.seed is None:
        print(f"{name:<45} NOT noticed by {found.seeds} seeds", flush=True)
    else:
        print(f"{name:<45} seed {found.seed} (the {found.seeds}.): {found.finding[:150]}", flush=True)


def tell_table() -> None:
    """What there is to break."""
    for guards, said in BREAKS.items():
        print(f"{' + '.join(guards):<45} {said}")
