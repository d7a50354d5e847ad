"""A town that uses the gateway for a hundred days, and what is planted in it, for the watch.

Nothing here knows the rules of the watch: life and attacks are written from the threat list alone,
as records that the access log would hold. `python -m bench.watch` prints what the rules found.
"""
