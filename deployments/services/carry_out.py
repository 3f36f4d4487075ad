"""The scheduler's instructions → rows, statuses, and what is to be sent after the commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from deployments.core.events import BlockRun, Dispatch, Drain, EndNode, EndRun, Finish, Instruction, RetryRun, WakeAt
from deployments.core.plan import SYNC_NODE
from deployments.services import statuses
from deployments.services.child import ChildRun, wire_name
from history.recorder import Ledger, RunRow


@dataclass(slots=True)
class Effects:
    """What is left to do once the rows are committed."""

    dispatched: list[RunRow] = field(default_factory=list)
    drain: str = ""
    """Why nothing new may start from now on."""
    wakes: list[float] = field(default_factory=list)
    finish: Finish | None = None


class Carrier:
    """Carries out one round of instructions for one child."""

    def __init__(self, child: ChildRun, ledger: Ledger) -> None:
        self._child, self._ledger = child, ledger
        self._effects = Effects()

    def carry_out(self, instructions: Sequence[Instruction]) -> Effects:
        """Write everything into the ledger; the rest is returned."""
        actions = {
            Dispatch: self._dispatch, EndRun: self._end_run, RetryRun: self._retry_run, BlockRun: self._block_run,
            EndNode: self._end_node, Drain: self._drain, WakeAt: self._wake_at, Finish: self._finish,
        }  # fmt: skip
        for instruction in instructions:
            actions[type(instruction)](instruction)  # type: ignore[operator]
        return self._effects

    def _dispatch(self, instruction: Dispatch) -> None:
        row = self._child.rows[instruction.run]
        name = wire_name(row.node, self._child.cluster_id)
        self._ledger.dispatched(row, self._child.next_number(name), name)
        self._child.undone[row.position] = row
        self._effects.dispatched.append(row)

    def _end_run(self, instruction: EndRun) -> None:
        row = self._child.rows[instruction.run]
        self._ledger.finish_run(row, instruction.outcome, at=row.time_end, reason=instruction.reason)
        self._child.ended += 1

    def _retry_run(self, instruction: RetryRun) -> None:
        self._ledger.pending_again(self._child.rows[instruction.run], instruction.reason)

    def _block_run(self, instruction: BlockRun) -> None:
        self._ledger.blocked(self._child.rows[instruction.run], instruction.root, instruction.reason)

    def _end_node(self, instruction: EndNode) -> None:
        if instruction.node == SYNC_NODE or instruction.status == "untouched":
            return
        child = self._child
        self._ledger.note("node", instruction.status, node=instruction.node, reason=instruction.reason)
        child.found["ended"] = [*child.found.get("ended", ()), instruction.node]
        self._ledger.change_transaction(child.id, result=dict(child.found))
        if child.mode == "real":
            change = statuses.NodeEnd(
                uid=instruction.node, cluster_id=child.cluster_id, graph_type=child.graph_type, outcome=instruction.status,
                reason=instruction.reason, callbacks=child.callbacks, before=child.found.get("before", {}).get(instruction.node, ""),
                rehearsed=child.rehearsal is not None,
            )  # fmt: skip
            self._ledger.also(change.write)

    def _drain(self, instruction: Drain) -> None:
        if instruction.cause == "tolerance":
            self._child.found["drain"] = instruction.reason
            self._ledger.change_transaction(self._child.id, result=dict(self._child.found))
        self._effects.drain = instruction.reason

    def _wake_at(self, instruction: WakeAt) -> None:
        self._effects.wakes.append(instruction.at)

    def _finish(self, instruction: Finish) -> None:
        self._effects.finish = instruction
