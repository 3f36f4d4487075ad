"""The time an expression may take. Core has no clock: whoever plans passes in a maker of limits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext


class TimeUp(BaseException):
    """The expression took too long.

    No `Exception`, because the language swallows those (`changed` takes any error on the old data for a change).
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took longer than {seconds:g} s of CPU time")


Limit = Callable[[], AbstractContextManager[None]]
"""Makes a context manager that raises `TimeUp` inside its block when the block takes too long."""


class GivenUp(BaseException):
    """Nobody wants the plan any more. No `Exception`, for the same reason."""


Look = Callable[[], None]
"""Called again and again while a plan is made; raises `GivenUp` when it is not wanted any more."""


def no_look() -> None:
    """For plans that are wanted in any case."""


def no_limit() -> AbstractContextManager[None]:
    """For input that is trusted to come to an end."""
    return nullcontext()
