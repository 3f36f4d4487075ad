"""Authenticated encryption of all that travels, with one key per node.

A payload can be opened only with its node's key and only as the attempt it was sealed for; an agent's reports are sealed the same
way. So who can write to Redis can delay things, but not invent or repeat them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deployments.wire.messages import AttemptKey, Heartbeat, Report, Work
from deployments.wire.parsing import Unreadable, fields_of, heartbeat_of, report_of

_NONCE = 12


class SealBroken(Unreadable):
    """The message was not sealed with this node's key, or not for this attempt."""


class NodeKeys:
    """Finds a node's key: derived from the master secret, or given (an agent on another machine holds only its own)."""

    def __init__(self, master_secret: str = "", given: dict[str, bytes] | None = None) -> None:
        self._master = master_secret.encode()
        self._given = dict(given or {})
        self._cipher = lru_cache(maxsize=4096)(self._make_cipher)

    def key(self, node: str) -> bytes:
        """The node's 32-byte key.

        Raises:
            SealBroken: this process has no secret to derive it from and was given none.
        """
        if node in self._given:
            return self._given[node]
        if not self._master:
            raise SealBroken(f"There is no key for node {node}: set FUELWEB_WIRE_SECRET or give the node's key.", node=node)
        return hmac.new(self._master, b"fuelweb node key|" + node.encode(), hashlib.sha256).digest()

    def _make_cipher(self, node: str) -> AESGCM:
        return AESGCM(self.key(node))

    def seal(self, node: str, purpose: str, bound: bytes, data: object) -> bytes:
        """Encrypt `data` (JSON-serialisable), bound to its purpose and to `bound`."""
        nonce = os.urandom(_NONCE)
        plain = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
        return nonce + self._cipher(node).encrypt(nonce, plain, purpose.encode() + b"|" + bound)

    def open(self, node: str, purpose: str, bound: bytes, body: bytes) -> dict[str, object]:
        """Decrypt what `seal` made.

        Raises:
            SealBroken: wrong key, wrong purpose, wrong attempt, or changed on the way.
            Nonsense: what was sealed is none of our messages.
        """
        try:
            plain = self._cipher(node).decrypt(body[:_NONCE], body[_NONCE:], purpose.encode() + b"|" + bound)
        except (InvalidTag, ValueError) as error:
            raise SealBroken(node=node) from error
        return fields_of(plain)

    def seal_work(self, key: AttemptKey, work: Work) -> bytes:
        """Owner → agent."""
        return self.seal(key.node, "work", key.bound(), _data(work))

    def open_work(self, key: AttemptKey, body: bytes) -> Work:
        """The agent's side of `seal_work`; unknown fields (a newer owner) are left out."""
        data = self.open(key.node, "work", key.bound(), body)
        return Work(**{name: data[name] for name in Work.__dataclass_fields__ if name in data})  # type: ignore[arg-type]

    def seal_report(self, report: Report) -> bytes:
        """Agent → owner. Bound to the node only: the attempt's key stands inside, since the owner reads it from there."""
        return self.seal(report.key.node, "report", report.key.node.encode(), _report_data(report))

    def open_report(self, node: str, body: bytes) -> Report:
        """The owner's side of `seal_report`.

        Raises:
            Unreadable: another has sealed it, or it makes no sense.
        """
        return report_of(self.open(node, "report", node.encode(), body))

    def seal_heartbeat(self, heartbeat: Heartbeat) -> bytes:
        """Agent → owner."""
        data = {**_data(heartbeat), "outcome": _report_data(heartbeat.outcome) if heartbeat.outcome else None}
        return self.seal(heartbeat.node, "heartbeat", heartbeat.node.encode(), data)

    def open_heartbeat(self, node: str, body: bytes) -> Heartbeat:
        """The owner's side of `seal_heartbeat`.

        Raises:
            Unreadable: another has sealed it, or it makes no sense.
        """
        return heartbeat_of(self.open(node, "heartbeat", node.encode(), body))


def _data(value: Any) -> dict[str, Any]:
    # Not `asdict`: that copies all that is inside, at a quarter of the price of sealing.
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _report_data(report: Report) -> dict[str, Any]:
    return {**_data(report), "key": _data(report.key)}
