"""What a process asks of its database sessions."""

from __future__ import annotations

import pytest

from fuelweb.database import UNHURRIED, postgres_options, role, sqlite_options


def timeouts(of: str, ownership: float = 10) -> dict[str, int]:
    """In milliseconds."""
    words = postgres_options(of, ownership, {}, timeouts=True)["options"].split(" -c ")
    return {name.removeprefix("-c "): int(value) for name, value in (word.split("=") for word in words)}


@pytest.mark.parametrize("ownership", [3, 10, 60])
@pytest.mark.parametrize("of", ["orchestrator", "planner", "web", "stop"])
def test_nobody_waits_for_a_lock_or_holds_one_as_long_as_a_transaction_is_owned(of: str, ownership: float) -> None:
    asked = timeouts(of, ownership)
    assert 0 < asked["lock_timeout"] <= 1000 * ownership / (20 if of == "orchestrator" else 2)
    assert asked["idle_in_transaction_session_timeout"] == 1000 * ownership
    options = postgres_options(of, ownership, {}, timeouts=True)
    assert options["tcp_user_timeout"] == 1000 * ownership
    assert 2 <= options["connect_timeout"] <= max(2, ownership)
    assert options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] <= 2 * ownership
    assert options["application_name"] == f"fuelweb {of}"


def test_only_what_is_short_has_a_limit_for_a_statement() -> None:
    assert {of for of in ("orchestrator", "planner", "web", "retention") if "statement_timeout" in timeouts(of)} == {"orchestrator", "web"}


@pytest.mark.parametrize("command", sorted(UNHURRIED))
def test_tables_are_changed_without_hurry(command: str) -> None:
    assert "options" not in postgres_options(command, 10, {}, timeouts=True)


def test_what_stands_in_the_address_is_stronger() -> None:
    options = postgres_options("web", 10, {"sslmode": "require", "connect_timeout": 3, "options": "-c lock_timeout=1"}, timeouts=True)
    assert (options["sslmode"], options["connect_timeout"]) == ("require", 3)
    assert options["options"].endswith(" -c lock_timeout=1")


def test_a_pooler_is_asked_for_nothing_that_it_refuses() -> None:
    assert "options" not in postgres_options("web", 10, {}, timeouts=False)


@pytest.mark.parametrize(("of", "longest"), [("orchestrator", 5), ("planner", 5), ("web", 20)])
def test_owners_on_sqlite_give_up_while_they_own(of: str, longest: float) -> None:
    assert sqlite_options(of, 10)["timeout"] == longest


def test_a_process_is_named_by_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FUELWEB_ROLE", raising=False)
    assert role(["/srv/fuelweb/manage.py", "migrate"]) == "migrate"
    assert role(["/srv/.venv/bin/gunicorn", "fuelweb.wsgi"]) == "web"
    monkeypatch.setenv("FUELWEB_ROLE", "planner")
    assert role(["celery", "worker"]) == "planner"
