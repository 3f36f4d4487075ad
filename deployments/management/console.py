"""The way to the terminal: what others have written (output of commands, names, reasons) can move no cursor and hide no word there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

from django.core.management.base import OutputWrapper
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from deployments.core.documents.texts import visible

PIPE_WIDTH = 160
"""Columns of a table where there is no terminal: cut to 80 it would lose what it is there to tell, and broken lines are hard to search."""


class SafeConsole(Console):
    """Shows control characters in the texts that it is given; its own colours are its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)


class SafeOutput(OutputWrapper):
    """A command's stdout or stderr, which shows control characters too."""

    def write(self, msg: str = "", style_func: Any = None, ending: str | None = None) -> None:
        super().write(visible(msg), style_func, ending)


def console(out: IO[str] | OutputWrapper, *, pipe_width: int = PIPE_WIDTH, soft_wrap: bool = False) -> SafeConsole:
    """A console on a command's output: as wide as the terminal, or as wide as a table wants where there is none."""
    file: Any = out._out if isinstance(out, OutputWrapper) else out
    return SafeConsole(file=file, width=None if file.isatty() else pipe_width, highlight=False, soft_wrap=soft_wrap)
