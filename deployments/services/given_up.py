"""What the database gave up, as a sentence for whoever asked for it."""

from __future__ import annotations

from history import holders, recorder


def given_up(error: BaseException) -> str:
    """What to tell somebody whose request was given up because the database let it wait too long (`recorder.is_patience_over`)."""
    if recorder.is_too_slow(error):
        return (
            "The database took longer for this than it may (statement_timeout), and nothing was changed: ask for less, or try again later."
        )
    holder = holders.longest_holder(1.0)
    by = f" ({holder})" if holder else ""
    return f"Another session has locked in the database what this would change{by}, and nothing was changed: try again in a moment."
