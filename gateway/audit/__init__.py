"""What a practice needs to check its processor: the log's proofs, its own events, its receipts.

Pure: no I/O, no clock of its own, nothing of the server. What is fetched (`cli/audit.py`) or read
from a bundle (`bundle`) goes into an `auditor`, which believes the log's public key, what it kept
from earlier checks, and the receipts; and nothing else.
"""
