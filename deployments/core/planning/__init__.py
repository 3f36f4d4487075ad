"""From a graph and the facts of a cluster to a plan, and what can be said and changed about one."""
