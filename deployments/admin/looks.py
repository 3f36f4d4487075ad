"""How states, times and progress look on the pages of the admin."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

_KINDS = {
    "ready": "good", "operational": "good", "running": "busy", "deployment": "busy", "deploying": "busy", "provisioning": "busy",
    "started": "busy", "dispatched": "busy", "removing": "busy", "remove": "busy", "error": "bad", "lost": "bad", "stopped": "warn",
    "partially_deployed": "warn", "recalled": "warn",
}  # fmt: skip


def badge(status: str) -> SafeString:
    """A state in its colour."""
    return format_html('<span class="state state-{}">{}</span>', _KINDS.get(status, "idle"), status.replace("_", " "))


def bar(percent: int, status: str) -> SafeString:
    """How far something is."""
    return format_html(
        '<span class="bar bar-{}" title="{} %"><span style="width: {}%"></span></span>', _KINDS.get(status, "idle"), percent, percent
    )


def ago(at: datetime | None) -> SafeString | str:
    """How long ago, with the exact time behind it."""
    if at is None:
        return "–"
    exact = timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S %Z")
    return format_html('<span title="{}">{} ago</span>', exact, timesince(at).split(",")[0])


def took(start: datetime | None, end: datetime | None) -> str:
    """From start to end; an open end counts until now."""
    if start is None:
        return "–"
    seconds = ((end or timezone.now()) - start).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
