"""The plan as the scheduler walks it: who is let go when a run ends, with wide relations kept narrow by join vertices.

A plan may say the same thing several times (on both sides of a relation, once for one node and once for all). Here every (before,
after) pair exists exactly once. Where n runs wait for m others, a join vertex stands between them: n + m links, not n × m.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deployments.core.plan import Bundle, Plan

JOIN_GAIN = 8
"""A join vertex must save at least this many links, else the pairs are stored one by one."""


@dataclass(frozen=True, slots=True)
class Links:
    """Adjacency of the plan.

    Vertices below `runs` are the plan's runs, by index; the others are join vertices. A join is done when all its predecessors are, it
    has runs only on both sides, and none of them on both. Every distinct pair of the plan is one link or one way through one join.
    """

    runs: int
    successors: tuple[tuple[int, ...], ...]
    """By vertex, ascending."""
    predecessor_counts: tuple[int, ...]
    """By vertex: how many links end there."""

    def is_join(self, vertex: int) -> bool:
        """Whether the vertex is our own and not a run."""
        return vertex >= self.runs

    @property
    def stored(self) -> int:
        """Number of links, those to and from joins included."""
        return sum(self.predecessor_counts)

    def count(self) -> int:
        """Number of distinct (before, after) pairs, joins expanded, without expanding them."""
        direct = sum(sum(1 for vertex in after if vertex < self.runs) for after in self.successors[: self.runs])
        joins = range(self.runs, len(self.successors))
        return direct + sum(self.predecessor_counts[join] * len(self.successors[join]) for join in joins)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Every (before, after) pair exactly once, joins expanded."""
        for before in range(self.runs):
            for vertex in self.successors[before]:
                if vertex < self.runs:
                    yield before, vertex
                else:
                    for after in self.successors[vertex]:
                        yield before, after

    def predecessors(self) -> list[list[int]]:
        """The same links the other way round, by vertex, ascending."""
        before: list[list[int]] = [[] for _ in self.successors]
        for vertex, after in enumerate(self.successors):
            for other in after:
                before[other].append(vertex)
        return before


def link(plan: Plan) -> Links:
    """Turn the plan's bundles into links, each distinct pair once."""
    builder = _Builder(len(plan.runs))
    narrow, wide = _by_width(plan.bundles)
    for sources, targets in wide:
        builder.add_wide(sources, targets)
    for sources, targets in narrow:
        builder.add_narrow(sources, targets)
    return builder.links()


def find_cycle(links: Links, plan: Plan) -> list[int]:
    """The runs of one circle, each waiting for the one before it and the first for the last; empty where there is none.

    The circle is the shortest one through its first run, which is the lowest in the plan's order of all its runs.
    """
    stuck = _never_free(links)
    if not stuck:
        return []
    inside = [vertex for vertex in _walk_back(links, stuck) if vertex < len(plan.runs)]
    path = _shortest_circle(links, stuck, min(inside))
    return _rotated([vertex for vertex in path if vertex < len(plan.runs)])


# -- building -------------------------------------------------------------------------------------------------------------

_Product = tuple[tuple[int, ...], frozenset[int]]


def _by_width(bundles: Iterable[Bundle]) -> tuple[list[_Product], list[_Product]]:
    """Bundles with the same sources become one product; the wide ones come apart, greatest first."""
    by_sources: dict[tuple[int, ...], set[int]] = {}
    for bundle in bundles:
        by_sources.setdefault(bundle.sources, set()).update(bundle.targets)
    narrow: list[_Product] = []
    wide: list[_Product] = []
    for sources, targets in by_sources.items():
        (wide if _worth_a_join(len(sources), len(targets)) else narrow).append((sources, frozenset(targets)))
    wide.sort(key=lambda product: (-len(product[0]) * len(product[1]), product[0]))
    return narrow, wide


def _worth_a_join(sources: int, targets: int) -> bool:
    return sources * targets >= sources + targets + JOIN_GAIN


class _Builder:
    """Takes products of runs one after the other and keeps what is new of each."""

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._successors: list[set[int]] = [set() for _ in range(runs)]
        self._joins: list[tuple[int, ...]] = []
        self._covered: dict[int, list[frozenset[int]]] = {}

    def add_wide(self, sources: Sequence[int], targets: frozenset[int]) -> None:
        """Sources that have the same earlier products take the same part of the targets, so each part is a product again."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for source in dict.fromkeys(sources):
            alike.setdefault(tuple(map(id, self._covered.get(source, ()))), []).append(source)
        for members in alike.values():
            rest = targets.difference(*self._covered.get(members[0], ()))
            if rest:
                self._add_product(members, rest)
            for source in members:
                self._covered.setdefault(source, []).append(targets)

    def add_narrow(self, sources: Sequence[int], targets: frozenset[int]) -> None:
        """Pairs one by one, without those that a wide product has already."""
        for source in sources:
            new = targets.difference(*self._covered.get(source, ()))
            self._successors[source].update(new)
            self._successors[source].discard(source)

    def links(self) -> Links:
        """What has been added so far."""
        successors = [tuple(sorted(after)) for after in self._successors] + self._joins
        counts = [0] * len(successors)
        for after in successors:
            for vertex in after:
                counts[vertex] += 1
        return Links(self._runs, tuple(successors), tuple(counts))

    def _add_product(self, sources: list[int], targets: frozenset[int]) -> None:
        """Every source before every target, no run before itself.

        Runs on both sides are set apart: halves of them wait for each other crosswise, then each half within itself, so even these take
        n log n links. (Two such runs are a circle anyway; `find_cycle` says so.)
        """
        both = sorted(targets.intersection(sources))
        if not both:
            self._join(sources, targets)
            return
        self._join([source for source in sources if source not in targets], targets)
        self._join(both, targets.difference(both))
        self._cross(both)

    def _cross(self, runs: list[int]) -> None:
        if len(runs) > 1:
            half = len(runs) // 2
            left, right = runs[:half], runs[half:]
            self._join(left, right)
            self._join(right, left)
            self._cross(left)
            self._cross(right)

    def _join(self, sources: Sequence[int], targets: Iterable[int]) -> None:
        after = tuple(sorted(targets))
        if _worth_a_join(len(sources), len(after)):
            join = (self._runs + len(self._joins),)
            self._joins.append(after)
            after = join
        for source in sources:
            self._successors[source].update(after)


# -- circles --------------------------------------------------------------------------------------------------------------


def _never_free(links: Links) -> set[int]:
    """Vertices that wait for a circle or are in one."""
    waiting = list(links.predecessor_counts)
    free = [vertex for vertex, count in enumerate(waiting) if not count]
    stuck = set(range(len(waiting)))
    while free:
        vertex = free.pop()
        stuck.discard(vertex)
        for after in links.successors[vertex]:
            waiting[after] -= 1
            if not waiting[after]:
                free.append(after)
    return stuck


def _walk_back(links: Links, stuck: set[int]) -> list[int]:
    """Some circle: who is stuck waits for somebody stuck, so walking back must come round."""
    before: dict[int, int] = {}
    for vertex in sorted(stuck, reverse=True):
        for after in links.successors[vertex]:
            before[after] = vertex
    vertex = min(stuck)
    seen: dict[int, int] = {}
    while vertex not in seen:
        seen[vertex] = len(seen)
        vertex = before[vertex]
    return [other for other, place in seen.items() if place >= seen[vertex]]


def _shortest_circle(links: Links, stuck: set[int], start: int) -> list[int]:
    came_from: dict[int, int] = {}
    queue = deque([start])
    while start not in came_from:
        vertex = queue.popleft()
        for after in links.successors[vertex]:
            if after in stuck and after not in came_from:
                came_from[after] = vertex
                queue.append(after)
    path = [start]
    while came_from[path[-1]] != start:
        path.append(came_from[path[-1]])
    return [start, *reversed(path[1:])]


def _rotated(circle: list[int]) -> list[int]:
    first = circle.index(min(circle))
    return circle[first:] + circle[:first]
