"""The same scheduler on a virtual clock, and how good it could be at best."""
