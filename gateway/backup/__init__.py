"""Back-up and restore: what is written where, in which order, and how a house is made of it again.

The layout of a place, its formats and its crash behaviour are in docs/backup.md.
"""
