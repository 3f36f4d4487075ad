from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from deployments.connections.base import Ended, FileSpec, Next, NodeProblem, Tried
from deployments.executors import registry
from deployments.executors.base import Outcome
from deployments.wire.messages import Work


class ScriptedNode:
    """A node whose commands end as they were told; it remembers what it was asked."""

    def __init__(self, *ends: Ended | Exception, stays: bool = False) -> None:
        self.ends, self.stays = list(ends), stays
        self.ran: list[tuple[Sequence[str], float, str]] = []
        self.files: list[FileSpec] = []
        self.pauses: list[float] = []
        self.stopped_after: int | None = None
        """After which try a stop comes."""

    def run(self, argv: Sequence[str], *, timeout: float, cwd: str = "/", env: Mapping[str, str] | None = None) -> Ended:
        self.ran.append((argv, timeout, cwd))
        return self._next()

    def put(self, file: FileSpec) -> bool:
        self.files.append(file)
        if self.ends:
            self._next()
        return not self.stays

    def _next(self) -> Ended:
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return True

    def before_next(self, tried: Tried) -> Next:
        self.pauses.append(tried.pause)
        return "stopped" if tried.number == self.stopped_after else "go on"

    def halt(self) -> None:
        raise AssertionError("nobody asked for that")


OK, FAILED = Ended("exited", 0, "fine\n"), Ended("exited", 2, "one\n  the disk is full \n\n")


def _execute(node: ScriptedNode, type_: str, /, **parameters: Any) -> Outcome:
    return registry.execute(Work("t", type_, parameters), node)


class TestShell:
    def test_runs_the_command_by_the_shell_with_nailgun_s_defaults(self) -> None:
        node = ScriptedNode(OK)
        assert _execute(node, "shell", cmd="echo fine") == Outcome("ready", "", {"exit_code": 0, "output": "fine\n"})
        assert node.ran == [(["/bin/sh", "-c", "echo fine"], 300.0, "/")]

    @pytest.mark.parametrize(("kind", "parameters"), [("shell", {"cmd": "x"}), ("upload_file", {"path": "/x", "data": "x"})])
    def test_no_other_try_begins_after_a_stop(self, kind: str, parameters: dict[str, Any]) -> None:
        node = ScriptedNode(*[NodeProblem("The disk is full.")] * 6)
        node.stopped_after = 2
        assert _execute(node, kind, **parameters, retries=5, interval=20) == Outcome("error", "The disk is full. 2 of 6 tries, stopped.")
        assert (len(node.ends), node.pauses) == (4, [20.0, 20.0])

    @pytest.mark.parametrize(
        ("output", "quoted"),
        [
            ("\n \n", "."),
            ("a\nb\nc\nd\n", ": b | c | d"),
            ("10 %\r50 %\r100 %\r\n", ": 100 %"),
            ("downloading\rdone\n", ": doneloading"),
            ("first\n" + "é" * 299 + "!\n", ": " + "é" * 299 + "!"),
            ("x" * 500, ": …" + "x" * 300),
            ("y" * 295 + "\nlast\n", ": last"),
        ],
    )
    def test_a_failure_quotes_the_last_lines_that_say_something(self, output: str, quoted: str) -> None:
        node = ScriptedNode(Ended("exited", 1, output))
        assert _execute(node, "shell", cmd="x", retries=0).reason == f"The command ended with exit code 1{quoted}"

    def test_tries_again_with_pauses_between(self) -> None:
        node = ScriptedNode(FAILED, FAILED, OK)
        assert _execute(node, "shell", cmd="x", cwd="/tmp", timeout="7").state == "ready"
        assert (len(node.ran), node.ran[0][1:], node.pauses) == (3, (7.0, "/tmp"), [2.0, 2.0])

    def test_fails_after_its_last_try_and_says_how(self) -> None:
        node = ScriptedNode(FAILED, FAILED)
        outcome = _execute(node, "shell", cmd="x", retries=1, interval=0.5)
        assert outcome.state == "error"
        assert outcome.reason == "The command ended with exit code 2: one | the disk is full"
        assert outcome.summary["exit_code"] == 2
        assert node.pauses == [0.5]

    def test_a_halted_attempt_tries_no_more(self) -> None:
        node = ScriptedNode(Ended("halted", -15, ""))
        node.before_next = lambda tried: "halted"  # type: ignore[method-assign]
        assert "a later attempt" in _execute(node, "shell", cmd="x").reason

    def test_a_timeout_is_a_failure(self) -> None:
        outcome = _execute(ScriptedNode(Ended("timed out", -15, "")), "shell", cmd="x", timeout=1.5, retries=0)
        assert (outcome.state, outcome.reason) == ("error", "The command did not end within 1.5 s and was ended.")

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({}, "Missing a required parameter cmd"),
            ({"cmd": "x", "timeout": "soon"}, "The parameter timeout must be a number of at least 0, not 'soon'."),
            ({"cmd": "x", "retries": -1}, "The parameter retries must be a number of at least 0, not -1."),
        ],
    )
    def test_wrong_parameters_run_nothing(self, parameters: dict[str, Any], reason: str) -> None:
        node = ScriptedNode()
        assert _execute(node, "shell", **parameters) == Outcome("error", reason)
        assert node.ran == []

    def test_a_command_that_can_t_be_started_is_a_failed_try(self) -> None:
        node = ScriptedNode(NodeProblem("no such folder"), OK)
        assert _execute(node, "shell", cmd="x").state == "ready"


class TestUploadFile:
    def test_puts_the_file_with_nailgun_s_defaults(self) -> None:
        node = ScriptedNode()
        outcome = _execute(node, "upload_file", path="/etc/x", data="grüße")
        assert outcome == Outcome("ready", "", {"path": "/etc/x", "bytes": 7, "written": True})
        assert node.files == [FileSpec("/etc/x", "grüße".encode(), 0o644, 0o755, None, None, True, True)]

    def test_takes_modes_as_text_and_as_yaml_reads_them(self) -> None:
        node = ScriptedNode()
        _execute(
            node, "upload_file", path="/x", data="", permissions="0600", dir_permissions=0o700, user_owner="nova", group_owner=0,
            overwrite=False, parents=False,
        )  # fmt: skip
        assert node.files == [FileSpec("/x", b"", 0o600, 0o700, "nova", "0", False, False)]

    def test_a_file_that_stays_is_no_error(self) -> None:
        assert _execute(ScriptedNode(stays=True), "upload_file", path="/x", data="", overwrite=False).summary["written"] is False

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"data": "x"}, "Missing a required parameter path"),
            ({"path": "/x"}, "Missing a required parameter data"),
            ({"path": "/x", "data": ["x"]}, "The parameter data must be text, not list."),
            (
                {"path": "/x", "data": "", "permissions": "rw-r"},
                "The parameter permissions must be a file mode such as '0644', not 'rw-r'.",
            ),
        ],
    )
    def test_wrong_parameters_write_nothing(self, parameters: dict[str, Any], reason: str) -> None:
        node = ScriptedNode()
        assert _execute(node, "upload_file", **parameters) == Outcome("error", reason)
        assert node.files == []

    def test_tries_again(self) -> None:
        node = ScriptedNode(NodeProblem("full"), NodeProblem("full"), NodeProblem("full"), NodeProblem("the disk is full"))
        assert _execute(node, "upload_file", path="/x", data="") == Outcome("error", "the disk is full")
        assert len(node.files) == 4


class TestModes:
    def test_an_unknown_type_is_an_error(self) -> None:
        assert _execute(ScriptedNode(), "telepathy") == Outcome("error", "Unknown task type 'telepathy'")

    @pytest.mark.parametrize("type_", ["shell", "upload_file", "telepathy"])
    def test_a_noop_run_executes_nothing_and_never_fails(self, type_: str) -> None:
        node = ScriptedNode()
        work = Work("t", type_, {"cmd": "x", "path": "/x", "data": ""}, mode="noop")
        assert registry.execute(work, node).state == "skipped"
        assert (node.ran, node.files) == ([], [])
        assert not registry.touches_node(work)

    @pytest.mark.parametrize("fails", [True, False])
    def test_a_rehearsal_takes_its_time_and_ends_as_told(self, fails: bool) -> None:
        node = ScriptedNode()
        work = Work("t", "puppet", {}, mode="rehearsal", rehearsal_seconds=12.5, rehearsal_fails=fails)
        assert registry.execute(work, node).state == ("error" if fails else "ready")
        assert (node.pauses, node.ran, node.files) == ([12.5], [], [])
        assert not registry.touches_node(work)

    def test_a_bug_of_an_executor_is_an_outcome_that_names_it(self) -> None:
        outcome = _execute(ScriptedNode(RuntimeError("oops")), "shell", cmd="x")
        assert outcome == Outcome("error", "The executor of shell failed: RuntimeError: oops")

    def test_says_which_types_agents_can_run(self) -> None:
        assert registry.runnable_types() == {"shell", "upload_file"}


class TestWhatCanNotBeStored:
    def test_characters_of_an_output_are_replaced(self) -> None:
        outcome = _execute(ScriptedNode(*[Ended("exited", 2, "one\0two\n\ud800")] * 3), "shell", cmd="x")
        assert outcome.summary == {"exit_code": 2, "output": "one\ufffdtwo\n\ufffd"}
        assert outcome.reason == "The command ended with exit code 2: one\ufffdtwo | \ufffd"

    def test_at_every_depth_and_in_keys(self) -> None:
        outcome = Outcome("ready", "a\0", {"k\0": [{"x": "\0"}, 5, None], "pair": ("\0", 1.5)})
        assert outcome == Outcome("ready", "a\ufffd", {"k\ufffd": [{"x": "\ufffd"}, 5, None], "pair": ["\ufffd", 1.5]})

    def test_of_what_went_wrong_too(self) -> None:
        assert (
            _execute(ScriptedNode(NodeProblem("no\0pe"), stays=True), "upload_file", path="/x", data="y", retries=0).reason == "no\ufffdpe"
        )
