"""Which breakages of the product the simulation has to notice, and which it can't because another guard stands behind the broken one."""

from __future__ import annotations

from collections.abc import Iterable

from tests.faults.player import Found

BREAKS: dict[tuple[str, ...], str] = {
    ("fence",): "the agent does not look for what an earlier attempt left running on the node",
    ("fence", "later-permit-halts"): "… nor does an attempt end itself when a later one is permitted",
    ("room",): "an agent claims an attempt without making sure that its disk has room for the notes",
    ("notes-stay-whole",): "the number is cut off before it is written anew, so that a write that fails leaves nothing",
    ("start-in-lease",): "an agent that was frozen after its claim starts the command when its lease is long over",
    ("number", "claim-once"): "the agent starts a dispatch number again, and a claim can be repeated by another message",
    ("number", "recall-claimed"): "the agent starts a dispatch number again, and a recall never answers `claimed`",
    ("recall-claimed",): "a recall never answers `claimed`",
    ("stop-flag",): "a claim does not look at the stop flag",
    ("lease-ends",): "leases never end",
    ("lease-lasts",): "leases are over at once",
    ("outcomes-stay", "kept-outcome"): "outcomes are deleted before they are recorded, and the agent keeps none",
    ("epoch",): "a commit does not look whether the transaction has another owner",
    ("epoch", "expected-state"): "… nor whether its rows are where it left them",
    ("log-in-commit",): "events are written in a commit of their own",
    ("tries-after-stop",): "an attempt goes on trying after a stop",
    ("log-time",): "what is written is dated as some clock says, though the log is further",
    ("lock-timeout",): "sessions of the database wait for a lock as long as somebody has it",
    ("skip-locked",): "taking, renewing and giving back wait for a lock",
    ("blind-after-loss",): "all is believed to be well when Redis has lost its data",
    ("outcome-once",): "an outcome is recorded again",
    ("outcome-once", "tables"): "… and no table of moves refuses that",
    ("outcome-of-this-attempt",): "the late outcome of an old attempt is taken for the present one's",
    ("deadline",): "attempts have no deadline",
    ("silent-agents",): "what nobody claims is never given up",
    ("rebuild",): "a scheduler made anew does not know what is under way",
    ("pause",): "a scheduler made anew does not know the pause between two tries",
    ("limits",): "limits are not looked at",
    ("tolerance",): "fault tolerance is not looked at",
    ("dependencies",): "some dependencies are not looked at",
    ("lost-once",): "lost attempts of tasks that are not idempotent are run again",
}
"""Guards that are taken out together, and what that means."""

COVERED: dict[tuple[str, ...], str] = {
    ("number",): "a permit is good for one claim, and void after a restart of Redis",
    ("claim-once",): "the agent remembers the highest dispatch number it has started",
    ("later-permit-halts",): "the next attempt ends what the one before left, before it starts anything",
    ("kept-outcome",): "outcomes stay in Redis until they are recorded",
    ("outcomes-stay",): "the agent keeps its last outcome, and its heartbeat tells it",
    ("epoch-in-redis",): "who vouches has proved in the database that it is the owner",
    ("expected-state",): "nobody but the owner commits",
    ("tables",): "nobody asks for a move that they don't have",
    ("trust-check",): "what is given up wrongly is ended on its node before anything else starts there",
    ("stop-after-loss",): "the owner closes the door itself when it sees the request",
}
"""Guards that can be spared alone: what stands behind them."""

QUICK: tuple[tuple[str, ...], ...] = (
    ("fence",), ("room",), ("notes-stay-whole",), ("number", "claim-once"), ("lease-ends",), ("lease-lasts",),
    ("outcomes-stay", "kept-outcome"), ("epoch",), ("log-in-commit",), ("outcome-once",), ("log-time",), ("lock-timeout",),
    ("skip-locked",), ("rebuild",), ("limits",), ("tolerance",), ("dependencies",), ("lost-once",),
)  # fmt: skip
"""Those that are noticed within the first few seeds: what is played in every run of the tests."""


def chosen(names: Iterable[str]) -> list[tuple[str, ...]]:
    """What was asked for, as guards to be taken out together."""
    wanted: list[tuple[str, ...]] = []
    for name in names:
        wanted += {"all": list(BREAKS), "quick": list(QUICK)}.get(name, [tuple(name.split("+"))])
    known = {guard for guards in (*BREAKS, *COVERED) for guard in guards}
    if strange := {guard for guards in wanted for guard in guards} - known:
        raise SystemExit(f"There is no guard {', '.join(sorted(strange))}: --break list tells which there are.")
    return wanted


def tell(found: Found) -> None:
    """One line."""
    name = "+".join(found.guards)
    if found.seed is None:
        print(f"{name:<32} NOT NOTICED by {found.seeds} seeds", flush=True)
    else:
        print(f"{name:<32} noticed by seed {found.seed}, after {found.seeds}: {found.finding.splitlines()[0][:120]}", flush=True)


def tell_table() -> None:
    """What there is to break."""
    print("Noticed (all):")
    for guards, said in BREAKS.items():
        print(f"  {'+'.join(guards):<32} {said}")
    print("Covered by another guard, so it can be spared alone:")
    for guards, said in COVERED.items():
        print(f"  {'+'.join(guards):<32} {said}")
