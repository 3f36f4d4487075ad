"""What a command says where Redis does not answer. Its request is committed by then, and whoever is to act on it looks by itself too."""

from __future__ import annotations

from django.core.management.base import OutputWrapper

from deployments.dispatch import Dispatcher
from deployments.services.setup import make_dispatcher


def dispatcher(stderr: OutputWrapper, then: str) -> Dispatcher:
    """Sends the command's hints; of one that Redis did not take in time it says so, and `then`: when the request is acted on."""

    def say(_transaction_id: int, error: Exception) -> None:
        stderr.write(f"Redis does not answer ({' '.join(str(error).split())}). The request is recorded; {then}.")

    return make_dispatcher(on_silence=say)
