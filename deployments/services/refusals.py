"""What nodes, or others in their names, have sent that nobody can use: dropped, counted, and noted in the log without filling it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from history.recorder import Ledger

Kind = tuple[str, str]
"""Node (empty: somebody who is none of the transaction's), and what it was: a report, a heartbeat …"""


class Refusals:
    """Of one owner. The first of each kind is noted, and then every tenfold."""

    def __init__(self, nodes: Collection[str] = ()) -> None:
        """`nodes` are the names that may be noted; any other could be of any length."""
        self._nodes = frozenset(nodes)
        self._counts: Counter[Kind] = Counter()
        self._due: dict[Kind, str] = {}

    def add(self, node: str, what: str, why: str) -> None:
        """One more; `why` is a sentence."""
        kind = (node if node in self._nodes else "", what)
        self._counts[kind] += 1
        if _is_power_of_ten(count := self._counts[kind]):
            self._due[kind] = (
                f"A {what} was ignored: {why}" if count == 1 else f"{count} {what}s were ignored so far, the last because: {why}"
            )

    def tell(self, ledger: Ledger) -> None:
        """Note what is due."""
        for (node, _), sentence in self._due.items():
            ledger.note("node", "refused", node=node, reason=sentence)
        self._due.clear()


def _is_power_of_ten(count: int) -> bool:
    return str(count).strip("0") == "1"
