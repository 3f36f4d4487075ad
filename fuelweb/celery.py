"""The Celery app of planners and orchestrators. Agents have their own, without Django: `deployments.agent.app`."""

import os

from celery import Celery
from click import Option
from django.conf import settings

from deployments.wire.names import COMMON_CELERY_SETTINGS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fuelweb.settings")

app = Celery("fuelweb")
app.conf.update(COMMON_CELERY_SETTINGS)
app.conf.broker_url = settings.CELERY_BROKER_URL
app.autodiscover_tasks(["deployments"])

# `celery worker --orchestrate` runs the owner's loop beside the consumer.
app.user_options["worker"].add(Option(["--orchestrate"], is_flag=True, help="Own transactions and step through them."))
app.steps["worker"].add("deployments.tasks:OrchestratorStep")
