"""The tree against the recursive definitions of RFC 9162."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.accesslog.tree import (
    EMPTY_ROOT,
    TILE_WIDTH,
    RunningRoot,
    Tiles,
    Tree,
    extend,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from storage.errors import LogInconsistentError
from tests.storage.accesslog import rfc9162

LARGE = 70_000  # more than 256^2: a tile of level 2 exists
ENTRIES = [number.to_bytes(4, "big") for number in range(LARGE)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def grown(leaves: Sequence[bytes], steps: Sequence[int] = ()) -> Tiles:
    """Tiles of a tree that grew in these steps, and then to its end."""
    tiles: Tiles = {}

    def read_tile(level: int, number: int) -> bytes:
        return tiles[level, number]

    size = 0
    for stop in (*steps, len(leaves)):
        tiles.update(extend(size, leaves[size:stop], read_tile))
        size = stop
    return tiles


def reading(tiles: Tiles) -> Tree:
    return Tree(lambda level, number: tiles.get((level, number), b""))


SMALL = reading(grown(LEAVES[:300]))
TREE = reading(grown(LEAVES))
ROOTS = [rfc9162.tree_hash(ENTRIES[:size]) for size in range(301)]


def test_the_roots_are_those_of_the_rfc_at_every_size_to_300() -> None:
    running = RunningRoot()
    for size, root in enumerate(ROOTS):
        assert SMALL.root(size) == root
        assert running.root() == root
        running.append(LEAVES[size])


@pytest.mark.parametrize("size", [255, 256, 257, 4096, 65_535, 65_536, 65_537, 65_792, LARGE])
def test_the_roots_are_those_of_the_rfc_around_the_borders_of_tiles(size: int) -> None:
    assert TREE.root(size) == rfc9162.tree_hash(ENTRIES[:size])


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert reading({}).root(0) == EMPTY_ROOT == rfc9162.tree_hash([])


def test_every_inclusion_proof_to_size_70_and_around_a_tile_is_accepted() -> None:
    for size in (*range(1, 71), 255, 256, 257, 300):
        for index in range(size):
            proof = SMALL.inclusion_proof(index, size)
            assert verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
            assert rfc9162.includes(ENTRIES[index], index, size, proof, ROOTS[size])


def test_every_consistency_proof_to_size_70_and_around_a_tile_is_accepted() -> None:
    for new in (*range(71), 255, 256, 257, 300):
        for old in range(new + 1):
            proof = SMALL.consistency_proof(old, new)
            assert verify_consistency(old, new, proof, ROOTS[old], ROOTS[new])
            if 0 < old < new:
                assert rfc9162.extends(old, new, proof, ROOTS[old], ROOTS[new])


@given(st.data())
@settings(max_examples=60)
def test_proofs_in_large_trees_are_accepted(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, LARGE))
    old = data.draw(st.integers(1, new))
    index = data.draw(st.integers(0, new - 1))

    inclusion = TREE.inclusion_proof(index, new)
    assert verify_inclusion(LEAVES[index], index, new, inclusion, TREE.root(new))
    assert rfc9162.includes(ENTRIES[index], index, new, inclusion, TREE.root(new))
    consistency = TREE.consistency_proof(old, new)
    assert verify_consistency(old, new, consistency, TREE.root(old), TREE.root(new))


@given(st.data())
@settings(max_examples=200)
def test_a_proof_of_anything_else_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 300))
    index = data.draw(st.integers(0, size - 1))
    proof = SMALL.inclusion_proof(index, size)
    at = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]

    def accepts(leaf: bytes, place: int, hashes: list[bytes], root: bytes) -> bool:
        return verify_inclusion(leaf, place, size, hashes, root)

    leaf, root = LEAVES[index], ROOTS[size]
    assert not accepts(LEAVES[index + 1], index, proof, root)
    assert not accepts(leaf, index, [*proof[:at], flipped, *proof[at + 1 :]], root)
    assert not accepts(leaf, index, [*proof[:at], *proof[at + 1 :]], root)
    assert not accepts(leaf, index, [*proof, flipped], root)
    assert not accepts(leaf, index, proof, ROOTS[size - 1])
    other = data.draw(st.integers(-1, size).filter(lambda place: place != index))
    assert not accepts(leaf, other, proof, root)


@given(st.data())
@settings(max_examples=200)
def test_a_proof_that_a_tree_extends_another_one_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 300))
    old = data.draw(st.integers(1, new - 1))
    proof = SMALL.consistency_proof(old, new)
    at = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]

    def accepts(hashes: list[bytes], old_root: bytes, new_root: bytes) -> bool:
        return verify_consistency(old, new, hashes, old_root, new_root)

    assert not accepts([*proof[:at], flipped, *proof[at + 1 :]], ROOTS[old], ROOTS[new])
    assert not accepts(proof[:-1], ROOTS[old], ROOTS[new])
    assert not accepts([*proof, flipped], ROOTS[old], ROOTS[new])
    assert not accepts([], ROOTS[old], ROOTS[new])
    assert not accepts(proof, ROOTS[old - 1], ROOTS[new])
    assert not accepts(proof, ROOTS[old], ROOTS[new - 1])
    assert not verify_consistency(new, old, proof, ROOTS[old], ROOTS[new])


def test_a_proof_does_not_serve_a_size_that_is_a_lie() -> None:
    proof = SMALL.consistency_proof(4, 8)
    assert verify_consistency(4, 8, proof, ROOTS[4], ROOTS[8])
    assert not verify_consistency(4, 16, proof, ROOTS[4], ROOTS[8])
    inclusion = SMALL.inclusion_proof(0, 8)
    assert not verify_inclusion(LEAVES[0], 0, 16, inclusion, ROOTS[8])


def test_equal_and_empty_trees_need_no_proof_and_take_none() -> None:
    assert verify_consistency(5, 5, [], ROOTS[5], ROOTS[5])
    assert not verify_consistency(5, 5, [], ROOTS[5], ROOTS[6])
    assert not verify_consistency(0, 0, [], ROOTS[0], ROOTS[1])
    assert not verify_consistency(0, 5, [], ROOTS[1], ROOTS[5])
    assert not verify_consistency(5, 5, [ROOTS[1]], ROOTS[5], ROOTS[5])


@given(st.lists(st.integers(0, 1500), max_size=8).map(sorted))
@settings(max_examples=40)
def test_the_tiles_do_not_depend_on_how_the_tree_grew(steps: list[int]) -> None:
    assert grown(LEAVES[:1500], steps) == grown(LEAVES[:1500])


def test_tiles_are_laid_out_as_c2sp_says() -> None:
    tiles = grown(LEAVES[:65_537])

    assert tiles[0, 0] == b"".join(LEAVES[:TILE_WIDTH])
    assert tiles[0, 256] == LEAVES[65_536]
    assert tiles[1, 0][:32] == rfc9162.tree_hash(ENTRIES[:256])
    assert tiles[2, 0] == rfc9162.tree_hash(ENTRIES[:65_536])
    assert set(tiles) == {(0, n) for n in range(257)} | {(1, 0), (2, 0)}


def test_a_tile_that_is_missing_or_cut_short_is_an_error_and_no_root() -> None:
    tiles = grown(LEAVES[:300])
    tiles[0, 1] = tiles[0, 1][:-1]
    with pytest.raises(LogInconsistentError):
        reading(tiles).root(300)
    with pytest.raises(LogInconsistentError):
        extend(300, LEAVES[300:301], lambda level, number: tiles[level, number])
    with pytest.raises(LogInconsistentError):
        reading({}).root(1)


def test_a_leaf_or_a_size_that_is_not_there_has_no_proof() -> None:
    for index, size in ((5, 5), (-1, 5), (0, 0)):
        with pytest.raises(ValueError, match="no leaf"):
            SMALL.inclusion_proof(index, size)
    for old, new in ((6, 5), (-1, 5)):
        with pytest.raises(ValueError, match="no earlier size"):
            SMALL.consistency_proof(old, new)


def test_the_running_root_agrees_at_random_large_sizes() -> None:
    sizes = set(random.Random(9162).sample(range(LARGE), 50))
    running = RunningRoot()
    for leaf in LEAVES:
        running.append(leaf)
        if running.size in sizes:
            assert running.root() == TREE.root(running.size)
