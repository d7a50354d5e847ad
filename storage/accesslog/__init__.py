"""The access log: append, number into a Merkle tree, sign, prove, verify.

An event is a row from the moment it happens (`log`), gets its place in the tree within a second
(`sequencer`), and is shown with a proof (`reading`) that anybody can check (`tree`, `verify`). The
tree holds commitments only: it tells nobody anything, and stays whole when records are pruned.
"""
