"""Before anything starts every node's agent is to be heard of: whoever asks why nothing runs is told so."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from deployments.services.explanation import why
from deployments.services.orchestrator import Orchestrator
from tests.integration.services.conftest import World


@pytest.fixture
def patient(world: World, settings: Any) -> World:
    """Its orchestrator waits for an hour."""
    settings.FUELWEB_WIRE_SECRET = "test"
    settings.FUELWEB_PATIENCE = {"first_heartbeat": 3600}
    world.tools = replace(world.tools, patience=replace(world.tools.patience, first_heartbeat=3600))
    world.orchestrator = Orchestrator(world.tools)
    return world


def test_a_silent_agent_is_named_with_the_time_until_which_it_is_waited_for(patient: World) -> None:
    patient.beat("2")
    parent = patient.deploy()
    patient.plan(parent)
    patient.orchestrator.round()
    until = r"until \d\d:\d\d:\d\d UTC\."
    assert re.fullmatch(rf"first/1 waits for the first sign of 1's agent, {until}", why(parent.id, "first/1"))
    told = why(parent.id, "second/2")
    assert re.fullmatch(rf"second/2 waits for the deployment to begin, and that for the first sign of 1's agent, {until}", told)


def test_once_all_were_heard_of_it_is_waited_for_nobody(patient: World) -> None:
    parent = patient.deploy()
    patient.plan(parent)
    patient.orchestrator.round()
    assert "the agents of 1 and 2" in why(parent.id, "first/1")
    patient.beat("1", "2")
    assert "first sign" not in why(parent.id, "first/1")


def test_a_time_that_is_over_is_not_told(patient: World, settings: Any) -> None:
    settings.FUELWEB_PATIENCE = {"first_heartbeat": 0}
    parent = patient.deploy()
    patient.plan(parent)
    assert why(parent.id, "first/1") == "first/1 waits for the deployment to begin."
