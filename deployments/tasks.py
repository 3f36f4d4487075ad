"""The Celery entry points of orchestrators and planners: parse ids, one service call."""

from __future__ import annotations

import threading
from typing import Any

from celery import Task, bootsteps, shared_task
from celery.worker import WorkController

from deployments import limits
from deployments.services import planning
from deployments.services.orchestrator import Orchestrator
from deployments.services.setup import make_tools
from deployments.wire import names


@shared_task(bind=True, name=names.RELEASE_DEPENDENTS, ignore_result=True)
def release_dependents(self: Task, *, transaction: int, **_newer: Any) -> None:
    """The chord's body: reports of this transaction may have come in. Any orchestrator may get it; it is only a hint."""
    self.app.orchestrator.wake(transaction)


@shared_task(bind=True, name=names.PLAN_TRANSACTION, ignore_result=True)
def plan_transaction(self: Task, *, transaction: int, **_newer: Any) -> None:
    """Plan the request's next graph."""
    planning.plan_next(transaction, make_tools(self.app, "planner"), limits.timer_limit())


class OrchestratorStep(bootsteps.StartStopStep):
    """Runs an `Orchestrator` beside the worker's consumer, in a thread of its own."""

    requires = {"celery.worker.components:Pool"}

    def __init__(self, worker: WorkController, orchestrate: bool = False, **options: Any) -> None:
        super().__init__(worker, **options)
        self.enabled = orchestrate

    def start(self, worker: WorkController) -> None:
        self._orchestrator = worker.app.orchestrator = Orchestrator(make_tools(worker.app, "orchestrator"))
        self._thread = threading.Thread(target=self._orchestrator.run, name="orchestrator", daemon=True)
        self._thread.start()

    def stop(self, worker: WorkController) -> None:
        """Nothing new is dispatched; wait for what runs."""
        self._orchestrator.leave()
        self._thread.join()
