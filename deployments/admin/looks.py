"""How states, times and progress look on the pages of the admin."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from deployments.core import wording

_KINDS = {
    "ready": "good", "operational": "good", "running": "busy", "deployment": "busy", "deploying": "busy", "provisioning": "busy",
    "started": "busy", "dispatched": "busy", "removing": "busy", "remove": "busy", "error": "bad", "lost": "bad", "stopped": "warn",
    "partially_deployed": "warn", "recalled": "warn",
}  # fmt: skip


def badge(status: str, count: int | None = None) -> SafeString:
    """A state in its colour, and of how many things."""
    told = status.replace("_", " ")
    return format_html('<span class="state state-{}">{}</span>', _KINDS.get(status, "idle"), told if count is None else f"{count:,} {told}")


def bar(percent: int, status: str) -> SafeString:
    """How far something is."""
    kind = _KINDS.get(status, "idle")
    return format_html('<span class="bar bar-{}" title="{} %"><span style="width: {}%"></span></span>', kind, percent, percent)


def ago(at: datetime | None) -> SafeString | str:
    """How long ago, with the exact time behind it."""
    if at is None:
        return "–"
    seconds = (timezone.now() - at).total_seconds()
    told = f"{max(0, int(seconds))} s" if seconds < 60 else timesince(at).split(",")[0]
    return format_html('<span title="{}">{} ago</span>', exact(at), told)


def exact(at: datetime | None) -> str:
    """The moment to the second."""
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S %Z") if at else "–"


def took(start: datetime | None, end: datetime | None) -> str:
    """From start to end; an open end counts until now."""
    if start is None:
        return "–"
    seconds = ((end or timezone.now()) - start).total_seconds()
    if seconds < 60:
        return wording.took(seconds)
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
