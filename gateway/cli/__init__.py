"""The command `kluis`: for the operator beside the data directory, for a person over HTTP.

Exit codes: 0 done; 1 refused or failed; 2 what was typed or set cannot be right.
"""
