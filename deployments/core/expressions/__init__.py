"""Everything in a task that is worked out per node: yaql expressions, legacy conditions, formatted strings."""
