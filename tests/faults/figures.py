"""What came of many seeds, by kind of fault."""

from __future__ import annotations

from collections import Counter

from tests.faults.verdict import Verdict

TOLD = 8
"""How many findings of a seed are printed."""


class Figures:
    """Adds verdicts up; a failed one is told at once."""

    def __init__(self) -> None:
        self.failed: list[int] = []
        self._seeds = self._runs = 0
        self._virtual = self._cpu = 0.0
        self._faults: Counter[str] = Counter()
        self._seeds_with: Counter[str] = Counter()
        self._failed_with: Counter[str] = Counter()
        self._ends: Counter[str] = Counter()

    def add(self, verdict: Verdict) -> None:
        """One more seed."""
        happened = [kind for kind, count in verdict.faults.items() if count]
        self._seeds, self._runs, self._virtual = self._seeds + 1, self._runs + verdict.runs, self._virtual + verdict.seconds
        self._cpu += verdict.cpu
        self._faults += verdict.faults
        self._ends += verdict.ends
        self._seeds_with.update(happened)
        if not verdict.findings:
            return
        self.failed.append(verdict.seed)
        self._failed_with.update(happened)
        replay = f"script/faults --from {verdict.seed} --seeds 1 --verbose"
        print(f"seed {verdict.seed} FAILED ({replay}): {', '.join(sorted(happened)) or 'no faults'}")
        for finding in verdict.findings[:TOLD]:
            print(f"    {finding}", flush=True)

    def tell(self, seconds: float, processes: int) -> None:
        """Everything in figures; the last line is `N passed, M failed`."""
        print(f"\n{'kind of fault':<32}{'injected':>10}{'seeds':>8}{'failed':>8}")
        for kind in sorted(self._faults):
            print(f"{kind:<32}{self._faults[kind]:>10,}{self._seeds_with[kind]:>8,}{self._failed_with[kind]:>8,}")
        ended = ", ".join(f"{count:,} {end}" for end, count in sorted(self._ends.items()))
        print(f"\n{self._runs:,} attempts on nodes, {self._faults.total():,} faults; deployments: {ended}")
        by = "1 process" if processes == 1 else f"{processes} processes"
        speed = f"{self._seeds / seconds:.1f} seeds/s, {self._seeds / self._cpu:.1f} for each second of a core"
        print(f"{self._virtual / 3600:.1f} virtual hours in {seconds:.0f} s by {by} ({speed})")
        print(f"{self._seeds - len(self.failed):,} passed, {len(self.failed):,} failed")
