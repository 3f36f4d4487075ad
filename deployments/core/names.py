"""Names as relations write them: exact, or a regular expression between slashes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from deployments.core.errors import InvalidData
from deployments.core.time_limit import Limit, TimeUp


def is_pattern(name: str) -> bool:
    """Whether the name is a regular expression: `/…/` (a single `/` is the empty one, which matches everything)."""
    return name.startswith("/") and name.endswith("/")


def matching(name: str, known: Iterable[str], limit: Limit) -> list[str]:
    """Those of the known names that `name` means. A pattern is anchored at the start only (Nailgun).

    Raises:
        InvalidData: the pattern is no regular expression, or takes too long.
    """
    if not is_pattern(name):
        return [name] if name in known else []
    try:
        with limit():
            match = _compiled(name).match
            return [other for other in known if match(other)]
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidData(f"The name '{name}' is no valid regular expression: {error}.", where=name) from error
    except TimeUp as error:
        raise InvalidData(f"Matching the names with the regular expression '{name}' {error}.", where=name) from error


def did_you_mean(name: str, known: Iterable[str], otherwise: str = ".") -> str:
    """The end of a sentence: `; did you mean 'x'?`, or `otherwise` where no known name is near."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.65)
    return f"; did you mean '{close[0]}'?" if close else otherwise


def one_edit_apart(name: str, other: str) -> bool:
    """Whether one letter put in, left out or replaced turns one name into the other."""
    if name == other or abs(len(name) - len(other)) > 1:
        return False
    same = next((place for place, pair in enumerate(zip(name, other, strict=False)) if pair[0] != pair[1]), min(len(name), len(other)))
    rest, other_rest = name[same:], other[same:]
    return rest[1:] in (other_rest, other_rest[1:]) or rest == other_rest[1:]


def no_such_run(name: str, known: Iterable[str]) -> str:
    """The sentence for a run (`task/node`) that is to fail and that no plan has."""
    close = get_close_matches(name, list(known), 1)
    hint = f" Did you mean {close[0]}?" if close else " Write task/node."
    return f"{name} is to fail, but the plan has no such task run.{hint}"


@lru_cache(maxsize=1024)
def _compiled(name: str) -> re.Pattern[str]:
    return re.compile(name[1:-1])
