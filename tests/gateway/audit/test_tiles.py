"""Tiles: their paths, and that whatever is read through them was signed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.tiles import FalseTileError, MissingTileError, SignedTree, Tile, edge, needed
from storage.accesslog.tree import Tree, extend, leaf_hash

SIZES = st.integers(1, 70_000)


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(index.to_bytes(4)) for index in range(size)]


LEAVES = leaves(70_000)


def given_tiles(size: int, indexes: list[int], earlier: int = 0) -> tuple[bytes, dict[Tile, bytes]]:
    every = extend(0, LEAVES[:size], lambda *_: b"")
    root = Tree(lambda *at: every[at]).root(size)
    wanted = needed(size, indexes, earlier)
    return root, {tile: every[tile.level, tile.number][: tile.width * 32] for tile in wanted}


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "0/000"),
        (Tile(1, 999, 7), "1/999.p/7"),
        (Tile(0, 1_000), "0/x001/000"),
        (Tile(0, 1_234_067), "0/x001/x234/067"),  # the example of tlog-tiles
        (Tile(63, 70_000, 255), "63/x070/000.p/255"),
    ],
)
def test_a_tile_has_the_path_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0/0",
        "64/000",
        "00/000",
        "0/x000/001",
        "0/001/002",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/1\n",
        "-1/000",
        "0/\u0660\u0660\u0660",
        "0/../000",
    ],
)
def test_no_other_path_is_a_tile(path: str) -> None:
    with pytest.raises(ValueError, match="path of a tile"):
        Tile.parse(path)


def test_the_edge_is_that_of_the_specification() -> None:
    assert list(edge(70_000)) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(edge(256)) == [Tile(1, 0, 1)]
    assert list(edge(0)) == []


@settings(max_examples=30)
@given(st.data())
def test_the_tiles_that_are_needed_prove_entries_and_the_earlier_tree(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    indexes = data.draw(st.lists(st.integers(0, size - 1), max_size=5))
    earlier = data.draw(st.integers(0, size))
    root, tiles = given_tiles(size, indexes, earlier)

    tree = SignedTree(size, root, tiles)

    assert [tree.leaf(index) for index in indexes] == [LEAVES[index] for index in indexes]
    before = extend(0, LEAVES[:earlier], lambda *_: b"")
    for tile in edge(earlier):
        found = tree.hashes(tile.level, tile.number)[: tile.width * 32]
        assert found == before[tile.level, tile.number]


@settings(max_examples=60)
@given(st.data())
def test_one_changed_bit_in_a_tile_is_never_believed(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    root, tiles = given_tiles(size, [index])
    tile = data.draw(st.sampled_from(sorted(tiles)))
    changed = bytearray(tiles[tile])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(FalseTileError):
        SignedTree(size, root, tiles | {tile: bytes(changed)}).leaf(index)


def test_a_missing_tile_and_a_short_one_prove_nothing() -> None:
    root, tiles = given_tiles(1_000, [3])
    for tile in tiles:
        for left in ({**tiles, tile: tiles[tile][:-1]}, {**tiles, tile: b""}):
            with pytest.raises(MissingTileError) as caught:
                SignedTree(1_000, root, left).leaf(3)
            assert caught.value.tile == tile


def test_an_empty_tree_has_the_root_of_the_specification() -> None:
    assert SignedTree(0, hashlib.sha256().digest(), {}).size == 0
    with pytest.raises(FalseTileError):
        SignedTree(0, bytes(32), {})
