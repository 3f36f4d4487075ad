"""An agent with its folders and a broker in memory, and an owner who permits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from redis.exceptions import ConnectionError as RedisGone

from deployments.agent.attempt import Agent
from deployments.agent.config import AgentConfig
from deployments.agent.memory import NodeMemory
from deployments.wire.broker import Claim, Receipt
from deployments.wire.memory_broker import MemoryBroker
from deployments.wire.messages import AttemptKey, Report, Work
from deployments.wire.sealing import NodeKeys

KEYS = NodeKeys("secret")
TX, EPOCH = 1, 1


class Flaky(MemoryBroker):
    """Loses the answers of its first calls: the step is done, and nobody hears of it."""

    def __init__(self) -> None:
        super().__init__(time.time)
        self.lost_claims = self.lost_reports = 0

    def claim(self, key: AttemptKey, token: str, lease_seconds: float, started: bytes) -> Claim:
        answer = super().claim(key, token, lease_seconds, started)
        if self.lost_claims:
            self.lost_claims -= 1
            raise RedisGone("gone")
        return answer

    def report(self, key: AttemptKey, body: bytes) -> Receipt:
        if self.lost_reports:
            self.lost_reports -= 1
            raise RedisGone("gone")
        return super().report(key, body)


class Rig:
    """An agent with its folders, and an owner who permits."""

    def __init__(self, folder: Path, state: Path | None = None) -> None:
        self.state, self.root = state or folder / "state", folder / "nodes"
        self.broker = Flaky()
        self.broker.vouch(TX, EPOCH)
        self.agent = Agent(AgentConfig("unix:///none", KEYS, self.state, fleet="f", root=self.root), self.broker)

    def key(self, number: int, node: str = "7") -> AttemptKey:
        return AttemptKey(TX, run=number, attempt=1, node=node, number=number)

    def permit(self, number: int, **work: Any) -> tuple[AttemptKey, bytes]:
        key = self.key(number)
        assert self.broker.permit(EPOCH, [key]) == [True]
        return key, KEYS.seal_work(key, Work(**{"task": "t", "type": "shell", **work}))

    def run(self, number: int, cmd: str = "true", **work: Any) -> str:
        key, payload = self.permit(number, parameters={"cmd": cmd, "retries": 0}, **work)
        return self.agent.attempt(key, payload)[0].state

    def reports(self) -> list[Report]:
        return [KEYS.open_report(entry.node, entry.body) for entry in self.broker.drain(TX)]

    def memory(self) -> NodeMemory:
        return NodeMemory(self.state, "7")
