"""Holding all stores against each other: everything that is kept is explained, or named."""
