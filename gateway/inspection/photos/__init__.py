"""Photos: stripped of what identifies, looked at, drawn small."""
