"""Coverage-guided fuzzing of the readers of untrusted files: `make fuzz`."""
