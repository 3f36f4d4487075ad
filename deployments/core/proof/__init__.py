"""What the log of a run proves, and what went wrong in it."""
