"""The door out: a Grant, then segments unsealed one by one, then an outcome in the log."""
