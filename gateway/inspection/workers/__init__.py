"""The confined processes in which files are inspected, and the pool that feeds them."""
