"""`script/bench`: each capability's speed, as a table and as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
from pathlib import Path
from typing import Any

import django
from rich.console import Console
from rich.table import Table

from tests.benchmarks.stage import clean_up, prepare_environment

TOPICS = ("planning", "scheduling", "makespan", "throughput", "history", "bystander")


def main() -> None:
    """Run the chosen benchmarks one after the other."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="|".join(TOPICS), help="default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the same figures there")
    parser.add_argument("--runs", type=int, default=10_000, help="throughput: how many task runs (default 10,000)")
    parser.add_argument("--deployments", type=int, default=10_000, help="history: how many (default 10,000)")
    parser.add_argument("--rounds", type=int, default=3, help="throughput: the median of how many (default 3)")
    parser.add_argument("--trouble-seconds", type=float, default=60.0, help="bystander: how long each trouble lasts (default 60)")
    arguments = parser.parse_args()
    if strange := sorted(set(arguments.topics) - set(TOPICS)):
        parser.error(f"there is no benchmark {', '.join(strange)}: choose from {', '.join(TOPICS)}")
    # Ended from outside, it is to end what it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    prepare_environment()
    try:
        django.setup()
        figures = {topic: _run(topic, arguments) for topic in arguments.topics or TOPICS}
    finally:
        clean_up()
    console = Console()
    for topic, found in figures.items():
        console.print(_table(topic, found))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _run(topic: str, arguments: argparse.Namespace) -> Any:
    # Imported one by one: Django's models need its setup first, and that needs the environment of this run.
    module = importlib.import_module(f"tests.benchmarks.{topic}")
    if topic == "throughput":
        return module.throughput(arguments.runs, arguments.rounds)
    if topic == "history":
        return module.history(arguments.deployments)
    if topic == "bystander":
        return module.bystander(arguments.trouble_seconds)
    return getattr(module, topic)()


def _table(topic: str, found: Any) -> Table:
    rows = found if isinstance(found, list) else [found]
    table = Table(*rows[0], title=topic, title_justify="left")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in row.values()))
    return table


if __name__ == "__main__":
    main()
