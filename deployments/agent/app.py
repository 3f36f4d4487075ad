"""The agent's Celery app: `celery -A deployments.agent.app worker …`. Configured by its environment (see `config`), without Django."""

from __future__ import annotations

import logging
import os
import warnings

from celery import Celery
from celery.platforms import SecurityWarning

from deployments.agent.config import AgentConfig
from deployments.agent.presence import Presence
from deployments.agent.shares import STRATEGY
from deployments.wire.names import COMMON_CELERY_SETTINGS, celery_url

# An agent may be root: to change its node is its work. The warning is about messages that are code, which JSON never is.
warnings.filterwarnings("ignore", category=SecurityWarning)
# Said even where Celery is to be silent: what is served, and what was refused.
logging.getLogger("deployments").setLevel(logging.INFO)

# Without fixups: Celery would load Django wherever DJANGO_SETTINGS_MODULE is set.
app = Celery("fuelweb-agent", include=["deployments.agent.tasks"], fixups=[])
app.conf.update(COMMON_CELERY_SETTINGS)
app.conf.broker_transport_options = {**COMMON_CELERY_SETTINGS["broker_transport_options"], "queue_order_strategy": STRATEGY}
app.conf.broker_url = celery_url(AgentConfig.from_environment(os.environ).redis_url)
app.steps["consumer"].add(Presence)
