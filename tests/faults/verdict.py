"""What came of one seed: a value, so that it can be told to another process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """What came of one seed."""

    seed: int
    findings: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    kinds: list[str] = field(default_factory=list)
    runs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    """Virtual ones."""
    cpu: float = 0.0
    """Seconds of a core that it took."""
