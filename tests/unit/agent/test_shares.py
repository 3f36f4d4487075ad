"""In which order a fleet looks into its queues."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from celery.worker import state
from kombu.utils.scheduling import cycle_by_name

from deployments.agent import shares
from deployments.wire.names import node_queue


class Request(SimpleNamespace):
    """What the worker holds; two are never the same."""

    __hash__ = object.__hash__


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    shares.serve({})


def order(held: list[str], queues: list[str]) -> list[str]:
    kept = [Request(delivery_info={"routing_key": node_queue(node)}) for node in held]
    for request in kept:
        state.reserved_requests.add(request)
    cycle = cycle_by_name(shares.STRATEGY)()
    cycle.update([node_queue(node) for node in queues])
    found = [queue.removeprefix("node.") for queue in cycle.consume(len(queues))]
    for request in kept:
        state.reserved_requests.discard(request)
    return found


def test_the_cluster_with_the_fewest_places_comes_first() -> None:
    shares.serve({"1": "a", "2": "a", "3": "a", "7": "b", "8": "b", "9": "c"})
    assert order(["1", "2", "7"], ["3", "1", "2", "8", "7", "9"]) == ["9", "8", "7", "3", "1", "2"]
    assert order([], ["3", "8", "9"]) == ["3", "8", "9"], "nobody has any: they take turns"


def test_one_that_nobody_has_told_of_is_one_of_its_own() -> None:
    shares.serve({"1": "a", "2": "a"})
    assert order(["1"], ["2", "north"]) == ["north", "2"]


def test_nodes_of_one_cluster_take_turns() -> None:
    shares.serve({"1": "a", "2": "a", "9": "b"})
    cycle = cycle_by_name(shares.STRATEGY)()
    cycle.update([node_queue("1"), node_queue("2")])
    cycle.rotate(node_queue("1"))
    assert cycle.consume(2) == [node_queue("2"), node_queue("1")]


def test_a_set_that_changes_meanwhile_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    request, looks = Request(delivery_info={"routing_key": node_queue("1")}), []

    class Changing:
        def __iter__(self) -> Iterator[Request]:
            looks.append(1)
            if len(looks) == 1:
                raise RuntimeError("Set changed size during iteration")
            return iter([request])

    monkeypatch.setattr(state, "reserved_requests", Changing())
    assert shares.held() == {node_queue("1"): 1}
