"""Everything that must survive a restart: ciphertext and rows.

To this room a wrapped key is opaque bytes. It cannot decrypt, and never imports `keys`.
"""
