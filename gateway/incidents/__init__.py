"""Incidents: what happened, who is in it, what was done about it, and what is said to whom."""
