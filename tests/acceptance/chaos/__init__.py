"""Chaos: real processes, of which any may be killed at any moment; the tasks' own journal judges what became of it."""
