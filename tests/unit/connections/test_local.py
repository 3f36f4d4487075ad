from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployments.connections import output as output_module
from deployments.connections import processes
from deployments.connections.base import FileSpec, NodeProblem, ProcessMark, folder_name
from deployments.connections.local import Local
from deployments.connections.output import OUTPUT_BYTES


class Recorder:
    """A watch that remembers what it was told, and looks at the process when it begins."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.told: list[str] = []
        self.mark: ProcessMark | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        self._check()
        self.told.append("alone")
        yield
        self.told.append("not alone")

    def _check(self) -> None:
        if self.refuses:
            raise NodeProblem("not any more")

    def begun(self, mark: ProcessMark) -> None:
        self._check()
        self.mark = mark
        self.told.append("begun")

    def ending(self) -> None:
        self.told.append("ending")

    def ended(self) -> None:
        self.told.append("ended")


def _sh(local: Local, script: str, timeout: float = 10.0, **options: object) -> tuple[str, int, str]:
    ended = local.run(["/bin/sh", "-c", script], timeout=timeout, **options)  # type: ignore[arg-type]
    return ended.how, ended.exit_code, ended.output


def _gone(pid: int) -> bool:
    until = time.monotonic() + 3
    while processes.start_time(pid) is not None:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def local(tmp_path: Path) -> Local:
    return Local("7", root=tmp_path / "nodes", grace=0.5)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The folder that stands for the node's `/`."""
    return tmp_path / "nodes" / "7"


class TestRunning:
    def test_gives_exit_code_and_output(self, local: Local) -> None:
        assert _sh(local, "echo out; echo err >&2; exit 3") == ("exited", 3, "out\nerr\n")

    def test_a_signal_is_a_negative_exit_code(self, local: Local) -> None:
        assert _sh(local, "kill -9 $$")[1] == -9

    def test_keeps_the_last_whole_lines(self, local: Local) -> None:
        output = _sh(local, "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done")[2]
        assert len(output) <= OUTPUT_BYTES
        assert output.startswith("line ")
        assert output.endswith("line 1999\n")

    def test_an_endless_output_gives_the_disk_back_while_the_command_runs(self, local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(output_module, "MOST_BYTES", 2**20)
        flood = "yes 'a line of the flood' | head -n 200000"
        wait = "while [ $(stat -L -c %b /proc/$$/fd/1) -gt 2048 ]; do sleep 0.05; done"
        how, code, output = _sh(local, f"{flood}; {wait}; echo the end", timeout=60)
        assert (how, code) == ("exited", 0)
        assert output.startswith("a line of the flood\n")
        assert output.endswith("a line of the flood\nthe end\n")
        assert len(output) <= OUTPUT_BYTES

    def test_finds_its_node_and_root_but_no_secrets(self, local: Local, node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FUELWEB_WIRE_SECRET", "hush")
        _, _, output = _sh(local, 'echo "$FUELWEB_NODE $FUELWEB_ROOT [$FUELWEB_WIRE_SECRET] $PATH"', env={"X": "1"})
        assert output == f"7 {node} [] {os.environ['PATH']}\n"

    def test_runs_below_the_node_s_root(self, local: Local, node: Path) -> None:
        assert _sh(local, "pwd")[2] == f"{node}\n"
        assert _sh(local, "pwd", cwd="/var/../opt/app")[2] == f"{node}/opt/app\n"
        assert _sh(local, "pwd", cwd="../../..")[2] == f"{node}\n"

    def test_without_a_root_the_machine_s_own_is_meant(self, tmp_path: Path) -> None:
        assert _sh(Local("7"), "echo $FUELWEB_ROOT; pwd", cwd=str(tmp_path))[2] == f"/\n{tmp_path}\n"

    def test_a_folder_to_run_in_that_is_a_file_is_said(self, local: Local, node: Path) -> None:
        local.put(FileSpec("/x", b""))
        with pytest.raises(NodeProblem, match=r"^/bin/sh could not be started in /x: File exists\.$"):
            _sh(local, "true", cwd="/x")

    def test_what_can_t_be_started_is_said(self) -> None:
        with pytest.raises(NodeProblem, match=r"^/bin/sh could not be started in /no/such: No such file or directory\.$"):
            _sh(Local("7"), "true", cwd="/no/such")

    def test_a_command_that_isn_t_there_ends_with_the_shell_s_code(self, local: Local) -> None:
        assert local.run(["/no/such/program"], timeout=5).exit_code in (126, 127)

    def test_ends_with_its_process_though_a_daemon_keeps_the_output_open(self, local: Local) -> None:
        begun = time.monotonic()
        how, code, output = _sh(local, "sleep 300 & echo $!")
        assert (how, code) == ("exited", 0)
        assert time.monotonic() - begun < 60
        daemon = int(output)
        try:
            assert processes.start_time(daemon) is not None, "the daemon stays"
        finally:
            os.kill(daemon, 9)

    def test_reads_nothing_from_the_agent(self, local: Local) -> None:
        assert _sh(local, "cat; echo end")[2] == "end\n"


class TestEnding:
    def test_after_its_time_the_whole_group_is_ended(self, local: Local) -> None:
        begun = time.monotonic()
        how, code, output = _sh(local, "sleep 300 & echo $!; sleep 300", timeout=0.3)
        assert (how, code) == ("timed out", -15)
        assert time.monotonic() - begun < 60
        assert _gone(int(output))

    def test_who_ignores_term_is_killed(self, local: Local) -> None:
        how, code, _ = _sh(local, "trap '' TERM; while :; do sleep 0.1; done", timeout=0.3)
        assert (how, code) == ("timed out", -9)

    def test_a_child_that_ignores_term_is_killed_though_its_leader_has_ended(self, local: Local) -> None:
        output = _sh(local, "(trap '' TERM; while :; do sleep 0.1; done) & echo $!; sleep 30", timeout=0.3)[2]
        assert _gone(int(output))

    def test_what_can_t_be_ended_is_an_error_and_no_endless_wait(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def not_ours(group: int, grace: float) -> bool:
            groups.append(group)
            raise PermissionError

        groups: list[int] = []
        watch = Recorder()
        with monkeypatch.context() as patch, pytest.raises(NodeProblem, match="^unfenced: the command could not be ended; end process"):
            patch.setattr(processes, "end_group", not_ours)
            _sh(Local("7", root=tmp_path, watch=watch), "sleep 300", timeout=0.2)
        assert watch.told == ["begun", "ending"], "the next attempt must find its mark"
        assert watch.mark is not None
        assert processes.lives(watch.mark)
        assert processes.end_group(groups[0], 5.0)

    def test_a_process_that_is_killed_at_the_gate_is_a_failed_command(self, tmp_path: Path) -> None:
        class Kills(Recorder):
            def begun(self, mark: ProcessMark) -> None:
                super().begun(mark)
                os.killpg(mark.group, 9)
                assert _gone(mark.group)

        watch = Kills()
        assert _sh(Local("7", root=tmp_path, watch=watch), "touch ran")[:2] == ("exited", -9)
        assert watch.told == ["begun", "ended"]

    def test_halting_ends_what_runs_and_starts_nothing_more(self, local: Local, node: Path) -> None:
        threading.Timer(0.3, local.halt).start()
        assert _sh(local, "sleep 30")[:2] == ("halted", -15)
        assert _sh(local, "touch $FUELWEB_ROOT/ran")[0] == "halted"
        assert not (node / "ran").exists()
        assert not local.pause(30)

    def test_a_pause_that_nobody_ends_takes_its_time(self, local: Local) -> None:
        begun = time.monotonic()
        assert local.pause(0.1)
        assert time.monotonic() - begun >= 0.1


class TestTheWatch:
    def test_is_told_before_anything_runs_and_after_it_ended(self, tmp_path: Path) -> None:
        watch = Recorder()
        _, _, output = _sh(Local("7", root=tmp_path, watch=watch), "echo $$")
        assert watch.told == ["begun", "ended"]
        assert watch.mark is not None
        assert watch.mark.group == int(output)
        assert not processes.lives(watch.mark)

    def test_if_it_refuses_nothing_runs(self, tmp_path: Path) -> None:
        refusing = Local("7", root=tmp_path, watch=Recorder(refuses=True))
        with pytest.raises(NodeProblem, match="not any more"):
            _sh(refusing, "touch $FUELWEB_ROOT/ran")
        with pytest.raises(NodeProblem, match="not any more"):
            refusing.put(FileSpec("/ran", b""))
        assert not (tmp_path / "7" / "ran").exists()

    def test_if_the_agent_is_killed_before_the_mark_is_kept_nothing_runs(self, tmp_path: Path) -> None:
        script = f"""
import os
from pathlib import Path
from deployments.connections.local import Local
class Dies:
    def begun(self, mark): os.kill(os.getpid(), 9)
    def ended(self): pass
Local("7", root=Path({str(tmp_path)!r}), watch=Dies()).run(["/usr/bin/touch", "ran"], timeout=5)
"""
        root = Path(__file__).parents[3]
        assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == -9
        time.sleep(0.3)
        assert not (tmp_path / "7" / "ran").exists()


class TestMarks:
    def test_name_one_process_for_ever(self) -> None:
        process = subprocess.Popen(["/bin/sleep", "30"], start_new_session=True)
        try:
            mark = processes.mark(process.pid)
            assert mark is not None
            assert processes.lives(mark)
            assert not processes.lives(ProcessMark(mark.group, mark.start + 1, mark.boot))
            assert not processes.lives(ProcessMark(mark.group, mark.start, "another boot"))
            assert processes.end_group(mark.group, 2.0), "a zombie counts as ended"
            assert not processes.lives(mark)
        finally:
            process.kill()
            process.wait()

    def test_a_name_with_brackets_does_not_confuse_them(self, tmp_path: Path) -> None:
        odd = tmp_path / "a) R (b"
        odd.symlink_to("/bin/sleep")
        process = subprocess.Popen([str(odd), "30"])
        try:
            assert processes.start_time(process.pid) is not None
        finally:
            process.kill()
            process.wait()
        assert processes.start_time(process.pid) is None


class TestPutting:
    def test_writes_below_the_root_with_permissions_and_folders(self, local: Local, node: Path) -> None:
        assert local.put(FileSpec("/etc/app/x.conf", b"one", 0o640, 0o750))
        file = node / "etc/app/x.conf"
        assert file.read_bytes() == b"one"
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o750
        assert [entry.name for entry in file.parent.iterdir()] == ["x.conf"]

    def test_replaces_in_one_step(self, local: Local, node: Path) -> None:
        local.put(FileSpec("/x", b"old"))
        with (node / "x").open("rb") as reader:
            assert local.put(FileSpec("/x", b"new", 0o600))
            assert reader.read() == b"old"
        assert (node / "x").read_bytes() == b"new"
        assert stat.S_IMODE((node / "x").stat().st_mode) == 0o600

    def test_keeps_what_must_not_be_overwritten(self, local: Local, node: Path) -> None:
        local.put(FileSpec("/x", b"old"))
        assert not local.put(FileSpec("/x", b"new", overwrite=False))
        assert (node / "x").read_bytes() == b"old"

    def test_never_leaves_the_root(self, local: Local, node: Path) -> None:
        local.put(FileSpec("../../../escaped", b"x"))
        assert (node / "escaped").exists()

    def test_through_no_link_either(self, local: Local, node: Path, tmp_path: Path) -> None:
        local.put(FileSpec("/x", b""))
        (node / "out").symlink_to(tmp_path)
        (node / "in").symlink_to(node)
        with pytest.raises(NodeProblem, match=r"^/out/a/b could not be written: a link on the way leads out of the folder"):
            local.put(FileSpec("/out/a/b", b""))
        assert not (tmp_path / "a").exists()
        assert local.put(FileSpec("/in/b", b"fine"))
        assert (node / "b").read_bytes() == b"fine"

    def test_puts_a_file_in_the_place_of_a_link_and_leaves_what_it_led_to(self, local: Local, node: Path) -> None:
        local.put(FileSpec("/target", b"old"))
        (node / "link").symlink_to(node / "target")
        (node / "broken").symlink_to(node / "nothing")
        assert not local.put(FileSpec("/broken", b"new", overwrite=False))
        assert local.put(FileSpec("/link", b"new"))
        assert ((node / "target").read_bytes(), (node / "link").read_bytes()) == (b"old", b"new")
        assert not (node / "link").is_symlink()

    @pytest.mark.parametrize("overwrite", [True, False])
    def test_a_folder_is_no_file(self, local: Local, node: Path, overwrite: bool) -> None:
        (node / "etc").mkdir(parents=True)
        with pytest.raises(NodeProblem, match=r"^/etc could not be written: it is a folder\.$"):
            local.put(FileSpec("/etc", b"", overwrite=overwrite))
        assert list(node.iterdir()) == [node / "etc"]

    def test_a_name_may_be_as_long_as_names_can_be(self, local: Local, node: Path) -> None:
        name = "n" * 255
        assert local.put(FileSpec(f"/{name}", b""))
        assert [entry.name for entry in node.iterdir()] == [name]

    def test_what_was_written_outlives_a_power_failure(self, local: Local, node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was flushed before the file got its name, and after."""
        flushed: list[tuple[str, bool]] = []
        sync = os.fsync

        def fsync(handle: int) -> None:
            sync(handle)
            flushed.append((os.readlink(f"/proc/self/fd/{handle}"), (node / "etc" / "x").exists()))

        monkeypatch.setattr(os, "fsync", fsync)
        local.put(FileSpec("/etc/x", b"data"))
        files = [(Path(path).name.startswith(".fuelweb-"), there) for path, there in flushed if Path(path).parent == node / "etc"]
        assert files == [(True, False)]
        assert flushed[-1] == (str(node / "etc"), True)
        assert (str(node), False) in flushed, "the new folder's own name"

    def test_nobody_else_may_be_at_it_meanwhile(self, tmp_path: Path) -> None:
        watch = Recorder()
        Local("7", root=tmp_path, watch=watch).put(FileSpec("/x", b""))
        assert watch.told == ["alone", "not alone"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    def test_a_new_owner_does_not_cost_the_set_user_id_bit(self, tmp_path: Path) -> None:
        Local("7").put(FileSpec(f"{tmp_path}/x", b"", permissions=0o4755, user_owner="1", group_owner="1"))
        assert (stat.S_IMODE((tmp_path / "x").stat().st_mode), (tmp_path / "x").stat().st_uid) == (0o4755, 1)

    def test_a_full_disk_leaves_the_old_file(self, local: Local, node: Path) -> None:
        local.put(FileSpec("/x", b"old"))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(NodeProblem, match=r"^/x could not be written: File too large\.$"):
                local.put(FileSpec("/x", b"n" * 5000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)
        assert (node / "x").read_bytes() == b"old"
        assert [entry.name for entry in node.iterdir()] == ["x"]

    def test_says_why_it_could_not(self, tmp_path: Path) -> None:
        real = Local("7")
        with pytest.raises(NodeProblem, match=r"missing/x could not be written: No such file or directory\.$"):
            real.put(FileSpec(f"{tmp_path}/missing/x", b"", parents=False))
        (tmp_path / "file").write_text("")
        with pytest.raises(NodeProblem, match="could not be written"):
            real.put(FileSpec(f"{tmp_path}/file/x", b""))
        with pytest.raises(NodeProblem, match="there is no user nobody-like-this on the node"):
            real.put(FileSpec(f"{tmp_path}/y", b"", user_owner="nobody-like-this"))
        assert [entry.name for entry in tmp_path.iterdir()] == ["file"], "no temporary file is left"

    def test_gives_the_file_its_owner_on_a_real_node_only(self, tmp_path: Path) -> None:
        me = str(os.getuid())
        assert Local("7").put(FileSpec(f"{tmp_path}/x", b"", user_owner=me, group_owner=str(os.getgid())))
        assert Local("7", root=tmp_path).put(FileSpec("/x", b"", user_owner="nobody-like-this"))


@pytest.mark.parametrize(("uid", "name"), [("7", "7"), ("master-3", "master-3"), ("../x", "%2E.%2Fx"), (".", "%2E"), ("a/b", "a%2Fb")])
def test_a_uid_is_one_folder_whatever_stands_in_it(uid: str, name: str) -> None:
    assert folder_name(uid) == name
