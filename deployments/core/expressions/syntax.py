"""Whether expressions can be parsed at all; that needs no data, so it is told before anybody keeps them."""

from __future__ import annotations

from yaql.language.exceptions import YaqlException

from deployments.core.errors import InvalidData
from deployments.core.expressions import legacy
from deployments.core.expressions.legacy import BadCondition
from deployments.core.expressions.vocabulary import new_engine

_LONGEST_SHOWN = 200


class Syntax:
    """Parses expressions, each once. One per graph: yaql's parser is not to be shared by threads."""

    def __init__(self) -> None:
        self._engine = new_engine()
        self._known: set[str] = set()

    def check_yaql(self, text: str, task: str) -> None:
        """Let an expression pass that can be parsed.

        Raises:
            InvalidData: it can't be; says where the parser stopped.
        """
        if text in self._known:
            return
        try:
            self._engine(text)
        except YaqlException as error:
            raise _refused(text, task, _explained(_words_of(error))) from error
        except RecursionError as error:
            raise _refused(text, task, "it is nested too deep") from error
        self._known.add(text)

    def check_legacy(self, text: str, task: str) -> None:
        """The same for a condition that is a plain text."""
        try:
            legacy.parse(text)
        except BadCondition as error:
            raise _refused(text, task, str(error).rstrip(".")) from error
        except RecursionError as error:
            raise _refused(text, task, "it is nested too deep") from error


def _words_of(error: YaqlException) -> str:
    return str(error).strip().rstrip(".").split(" of expression ")[0]


def _explained(words: str) -> str:
    if "'#'" not in words:
        return words
    return f"{words} (a # within a folded or quoted text begins no comment but is a part of the expression: take what you meant as one out)"


def _refused(text: str, task: str, reason: str) -> InvalidData:
    line = " ".join(text.split())
    shown = line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + "…"
    message = f"Task '{task}' has an expression that can't be parsed, `{shown}`: {reason}."
    return InvalidData(message, task=task, where=text[:_LONGEST_SHOWN])
