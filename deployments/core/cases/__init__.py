"""Cluster files and conformance cases: reading them, and answering in their form."""
