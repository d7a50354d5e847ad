"""Scans: read strictly, measured, written canonically, drawn."""
