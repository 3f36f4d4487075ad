"""The REST API: Fuel's, version 1, and what Fuel has not."""
