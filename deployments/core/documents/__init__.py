"""Text from people: read safely, and never more than was written."""
