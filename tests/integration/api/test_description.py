"""The description of the API says what the API is, without a warning, and is kept with the code."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from django.core.management import call_command
from rest_framework.test import APIClient

KEPT = Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"


def test_the_kept_description_is_the_present_one() -> None:
    output = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=output)
    assert output.getvalue().strip() == KEPT.read_text(encoding="utf-8").strip(), (
        "write it again: manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml"
    )


def test_it_is_served_to_programs_and_people(api: APIClient) -> None:
    answer = api.get("/api/v1/schema/", headers={"accept": "application/vnd.oai.openapi+json"})
    assert json.loads(answer.content)["openapi"].startswith("3.")
    assert "swagger" in APIClient().get("/api/v1/docs/").content.decode()
