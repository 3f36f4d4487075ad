"""The yardstick: Celery alone doing nothing, on the same kind of pool and queues. No record, no seal, no claim, no order."""

from __future__ import annotations

import os
import threading

import redis
from celery import Celery

from deployments.wire.names import COMMON_CELERY_SETTINGS, celery_url

URL = os.environ["RAW_REDIS_URL"]
DONE = "raw-done"

app = Celery("raw")
app.conf.update(COMMON_CELERY_SETTINGS)
app.conf.update(broker_url=celery_url(URL))

_count = 0
_lock = threading.Lock()
_client = redis.Redis.from_url(URL)


@app.task(ignore_result=True, name="raw.noop")
def noop(*, last: int) -> None:
    """Count in memory; only the last one says so."""
    global _count
    with _lock:
        _count += 1
        reached = _count == last
        if reached:
            _count = 0
    if reached:
        _client.rpush(DONE, last)
