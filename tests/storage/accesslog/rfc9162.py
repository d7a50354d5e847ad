"""A reader of proofs written from RFC 9162 alone: it shares no line with what it judges.

The recursive definitions of 2.1.1 and the verification algorithms of 2.1.3.2 and 2.1.4.2, each in
the words of the RFC.
"""

from __future__ import annotations

from hashlib import sha256


def tree_hash(entries: list[bytes]) -> bytes:
    """MTH(D[n])."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return sha256(b"\x01" + tree_hash(entries[:k]) + tree_hash(entries[k:])).digest()


def includes(entry: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Rebuild the root downwards: 2.1.3.1 run backwards; 2.1.3.2, step 1: the index is in it."""
    if not 0 <= index < size:
        return False

    def rebuild(m: int, n: int, rest: list[bytes]) -> bytes:
        if n == 1:
            if rest:
                raise ValueError("the proof is too long")
            return sha256(b"\x00" + entry).digest()
        k = 1
        while 2 * k < n:
            k *= 2
        sibling = rest[-1]
        if m < k:
            return sha256(b"\x01" + rebuild(m, k, rest[:-1]) + sibling).digest()
        return sha256(b"\x01" + sibling + rebuild(m - k, n - k, rest[:-1])).digest()

    try:
        return rebuild(index, size, path) == root
    except (IndexError, ValueError):
        return False


def extends(m: int, n: int, path: list[bytes], old: bytes, new: bytes) -> bool:
    """Rebuild both roots from PROOF(m, D[n]): 2.1.4.1 run backwards; 0 < m < n."""

    def rebuild(m: int, n: int, rest: list[bytes], known: bool) -> tuple[bytes, bytes]:
        if m == n:
            if known:
                return old, old
            (only,) = rest
            return only, only
        k = 1
        while 2 * k < n:
            k *= 2
        sibling = rest[-1]
        if m <= k:
            left_old, left_new = rebuild(m, k, rest[:-1], known)
            return left_old, sha256(b"\x01" + left_new + sibling).digest()
        right_old, right_new = rebuild(m - k, n - k, rest[:-1], False)
        return (
            sha256(b"\x01" + sibling + right_old).digest(),
            sha256(b"\x01" + sibling + right_new).digest(),
        )

    try:
        return rebuild(m, n, path, True) == (old, new)
    except (IndexError, ValueError):
        return False
