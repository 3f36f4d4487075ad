"""Task types: what a task does on a node."""
