"""What a node seals need not make sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployments.wire.messages import AttemptKey, Heartbeat, Report
from deployments.wire.parsing import LARGEST_SUMMARY, LONGEST_REASON, Nonsense, Unreadable
from deployments.wire.sealing import NodeKeys

KEYS = NodeKeys("secret")
KEY = {"transaction": 1, "run": 2, "attempt": 3, "node": "7", "number": 4}
REPORT: dict[str, Any] = {"key": KEY, "kind": "outcome", "state": "ready", "reason": "", "summary": {}, "duration": 1.5}
BEAT: dict[str, Any] = {"node": "7", "number": 4, "outcome": None, "places": 1, "free": 1}
NO_NUMBERS: tuple[Any, ...] = ("x", None, -1, 1.5, True, 2**63, [], {})

NO_REPORTS = [
    *({**REPORT, "key": {**KEY, name: value}} for name in ("transaction", "run", "attempt", "number") for value in NO_NUMBERS),
    *({**REPORT, "key": value} for value in (None, "x", [], {}, {**KEY, "node": 7}, {"transaction": 1})),
    *({**REPORT, "state": value} for value in ("foo", "started", "lost", None, 1, [], {})),
    *({**REPORT, "kind": value} for value in ("foo", "started", None, 1, [])),
    *({**REPORT, "duration": value} for value in ("x", None, -1, 1e300, float("nan"), float("inf"), True, [])),
    *({**REPORT, "reason": value} for value in (None, 1, ["x"], {})),
    *({**REPORT, "summary": value} for value in (None, 1, "x", [])),
    [], "x", 1, None, {},
]  # fmt: skip
NO_BEATS = [
    *({**BEAT, name: value} for name in ("number", "places", "free") for value in NO_NUMBERS),
    *({**BEAT, "outcome": value} for value in ("x", [], {"key": {"transaction": 1}}, {**REPORT, "state": "foo"})),
    {**BEAT, "node": None}, [], "x", None, {},
]  # fmt: skip


def sealed(purpose: str, data: object) -> bytes:
    return KEYS.seal("7", purpose, b"7", data)


@pytest.mark.parametrize("data", NO_REPORTS)
def test_a_report_that_makes_no_sense_is_refused_with_a_sentence(data: object) -> None:
    with pytest.raises(Nonsense, match=r"\.$") as refusal:
        KEYS.open_report("7", sealed("report", data))
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("data", NO_BEATS)
def test_a_heartbeat_that_makes_no_sense_is_refused_with_a_sentence(data: object) -> None:
    with pytest.raises(Nonsense, match=r"\.$"):
        KEYS.open_heartbeat("7", sealed("heartbeat", data))


@pytest.mark.parametrize("plain", ["[" * 100_000, '{"key":' * 100_000, "9" * 10_000, '"\\ud800', "", "{"])
def test_what_is_no_json_is_refused(plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "dumps", lambda *_, **__: plain)
    body = sealed("report", None)
    monkeypatch.undo()
    with pytest.raises(Unreadable):
        KEYS.open_report("7", body)


def test_a_summary_may_not_be_nested_for_ever() -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(Nonsense, match="nested"):
        KEYS.open_report("7", sealed("report", {**REPORT, "summary": {"x": deep}}))


def test_what_is_too_long_is_cut_and_says_so() -> None:
    output = "a" * 100_000 + "the end"
    summary = {"exit_code": 3, "output": output, "list": list(range(50_000))}
    report = KEYS.open_report("7", sealed("report", {**REPORT, "reason": "r" * 30_000_000, "summary": summary}))
    assert len(report.reason) < LONGEST_REASON + 100
    assert report.reason.endswith("(the first 4096 of 30000000 characters)")
    assert len(json.dumps(report.summary)) <= LARGEST_SUMMARY
    assert report.summary["exit_code"] == 3
    assert report.summary["output"].endswith("the end")
    assert "list" not in report.summary
    assert report.summary["cut"] is True


def test_what_no_database_keeps_is_replaced() -> None:
    summary = {"a\0": ["b\0", "\ud800"], "c": float("nan"), "d": {"e": float("-inf")}}
    report = KEYS.open_report("7", _raw({**REPORT, "reason": "x\0y", "summary": summary}))
    assert report.reason == "x\ufffdy"
    assert report.summary == {"a\ufffd": ["b\ufffd", "\ufffd"], "c": "nan", "d": {"e": "-inf"}}


def _raw(data: object) -> bytes:
    """Sealed as ASCII: half a surrogate pair has no UTF-8."""
    nonce = b"n" * 12
    return nonce + KEYS._cipher("7").encrypt(nonce, json.dumps(data).encode(), b"report|7")


def test_what_newer_agents_may_say_more_is_left_out_and_what_older_ones_left_out_has_its_usual_value() -> None:
    key = {**KEY, "colour": "red"}
    assert KEYS.open_report("7", sealed("report", {"key": key, "kind": "outcome", "state": "ready", "mood": 1})) == Report(
        AttemptKey(**KEY), "outcome", "ready"
    )
    assert KEYS.open_heartbeat("7", sealed("heartbeat", {"node": "7", "mood": 1})) == Heartbeat("7")
