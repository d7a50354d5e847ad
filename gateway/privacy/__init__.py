"""Patients and their pseudonyms, the keys of cases, and letting go: erasure with proof."""
