"""The tools of this process, as the settings say."""

from __future__ import annotations

import os
import socket
from typing import Any

from celery import Celery
from django.conf import settings
from django.utils.module_loading import import_string

from deployments.dispatch import Dispatcher
from deployments.services.tools import Patience, Tools
from deployments.wire.broker import Broker
from deployments.wire.names import ASKING_SECONDS
from deployments.wire.redis_broker import RedisBroker
from deployments.wire.sealing import NodeKeys


def make_tools(app: Celery, role: str) -> Tools:
    """Broker, keys, sender and name of this process."""
    return Tools(
        broker=RedisBroker(settings.REDIS_URL),
        keys=NodeKeys(str(settings.FUELWEB_WIRE_SECRET)),
        dispatcher=Dispatcher(app),
        owner=f"{role}@{socket.gethostname()}.{os.getpid()}",
        patience=Patience(**getattr(settings, "FUELWEB_PATIENCE", {})),
    )


def make_broker() -> Broker:
    """The broker that the settings name, for somebody who asks and wants an answer soon."""
    return RedisBroker(settings.REDIS_URL, timeout=ASKING_SECONDS)


def make_dispatcher(**options: Any) -> Dispatcher:
    """Sends through the project's Celery app; options as `Dispatcher` has them."""
    return Dispatcher(import_string(settings.FUELWEB_CELERY_APP), **options)


def key_of_node(uid: str) -> str:
    """The key, in hexadecimal, that the agent of this node is given where it may not know the secret of all."""
    return NodeKeys(str(settings.FUELWEB_WIRE_SECRET)).key(uid).hex()
