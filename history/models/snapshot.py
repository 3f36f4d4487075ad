"""What a run was planned from: frozen copies, compressed."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any

from django.db import models


class SnapshotDamaged(Exception):
    """What is stored is not what was written."""


class Snapshot(models.Model):
    """One kind of data of one child transaction. Never changed."""

    KINDS = [(word, word) for word in ("plan", "tasks", "settings", "deployment_info", "network_configuration")]

    transaction = models.ForeignKey("history.Transaction", models.CASCADE, related_name="snapshots")
    kind = models.CharField(max_length=32, choices=KINDS)
    body = models.BinaryField(help_text="JSON, compressed by zlib.")
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["transaction", "kind"], name="one_snapshot_per_kind")]

    def __str__(self) -> str:
        return f"{self.kind} of transaction {self.transaction_id}"

    @classmethod
    def of(cls, transaction_id: int, kind: str, data: Any) -> Snapshot:
        """A snapshot of `data` (JSON-serialisable), not saved yet."""
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
        return cls(transaction_id=transaction_id, kind=kind, body=zlib.compress(text, 3), sha256=hashlib.sha256(text).hexdigest())

    def data(self) -> Any:
        """What was stored.

        Raises:
            SnapshotDamaged: it is not what was written.
        """
        try:
            text = zlib.decompress(self.body)
            if hashlib.sha256(text).hexdigest() != self.sha256:
                raise ValueError("Its digest is another.")
            return json.loads(text)
        except (zlib.error, ValueError, RecursionError) as error:
            raise SnapshotDamaged(f"its {self.kind.replace('_', ' ')} as stored is damaged.") from error
