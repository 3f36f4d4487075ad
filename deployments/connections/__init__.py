"""How a node is reached: run a command there, put a file there."""
