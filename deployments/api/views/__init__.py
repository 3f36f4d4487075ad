"""The views, a noun a file."""
