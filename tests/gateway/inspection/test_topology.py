from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gateway.inspection.scans import grouping
from gateway.inspection.scans.topology import fans, flipped, topology
from tests.scans import Triangles, arch, cube

Place = tuple[float, ...]


@dataclass(frozen=True)
class Counts:
    vertices: int
    exact_vertices: int
    degenerate: int
    duplicates: set[int]
    boundary: int
    non_manifold_edges: int
    inconsistent: int
    components: int
    non_manifold_vertices: set[Place]
    flipped: int
    one_sided: int


def planes(triangles: Triangles) -> Triangles:
    return np.ascontiguousarray(triangles.transpose(2, 1, 0))


def counts(triangles: Triangles) -> Counts:
    corners = planes(triangles)
    shape = topology(corners)
    turned, one_sided = flipped(shape)
    places = corners.reshape(3, -1)[:, shape.corner_of[fans(shape)]].T
    return Counts(
        vertices=len(shape.corner_of),
        exact_vertices=shape.exact_vertices,
        degenerate=len(triangles) - len(shape.whole),
        duplicates=set(shape.duplicates.tolist()),
        boundary=len(shape.boundary),
        non_manifold_edges=len(shape.non_manifold_edges),
        inconsistent=len(shape.inconsistent_edges),
        components=shape.components,
        non_manifold_vertices={on_grid(place) for place in places},
        flipped=len(turned),
        one_sided=one_sided,
    )


def on_grid(place: Triangles) -> Place:
    return tuple(np.rint(place.astype(np.float64) * 1e8).astype(np.int64).tolist())


def groups(pairs: Iterable[tuple[Hashable, Hashable]]) -> list[list[Hashable]]:
    parent: dict[Hashable, Hashable] = {}

    def root(of: Hashable) -> Hashable:
        parent.setdefault(of, of)
        while parent[of] != of:
            parent[of] = parent[parent[of]]  # or a long chain is walked again and again
            of = parent[of]
        return of

    for one, other in pairs:
        parent[root(one)] = root(other)
    members = defaultdict(list)
    for of in list(parent):
        members[root(of)].append(of)
    return list(members.values())


def sides(triangle: list[Place]) -> list[tuple[Place, Place]]:
    return [(triangle[0], triangle[1]), (triangle[1], triangle[2]), (triangle[2], triangle[0])]


def slow_counts(triangles: Triangles) -> Counts:
    """The definitions word for word, with sets and dictionaries."""
    places = [[on_grid(corner) for corner in triangle] for triangle in triangles]
    whole = {number: places[number] for number in range(len(places)) if distinct(places[number])}
    owners = defaultdict(list)
    for number, triangle in whole.items():
        for side in sides(triangle):
            owners[frozenset(side)].append((number, side))
    twos = [pair for pair in owners.values() if len(pair) == 2]
    inconsistent = [pair for pair in twos if pair[0][1] == pair[1][1]]
    minority, one_sided = slow_flipped(whole, twos)
    return Counts(
        vertices=len({place for triangle in places for place in triangle}),
        exact_vertices=len({tuple((c + 0.0).tolist()) for t in triangles for c in t}),
        degenerate=len(places) - len(whole),
        duplicates=set(slow_duplicates(whole)),
        boundary=sum(len(of) == 1 for of in owners.values()),
        non_manifold_edges=sum(len(of) > 2 for of in owners.values()),
        inconsistent=len(inconsistent),
        components=len(groups(side for triangle in whole.values() for side in sides(triangle))),
        non_manifold_vertices=slow_fans(whole, owners.values()),
        flipped=minority,
        one_sided=one_sided,
    )


def distinct(triangle: list[Place]) -> bool:
    return len(set(triangle)) == 3


def slow_duplicates(whole: dict[int, list[Place]]) -> Iterator[int]:
    seen = set()
    for number, triangle in whole.items():
        if frozenset(triangle) in seen:
            yield number
        seen.add(frozenset(triangle))


Owners = list[tuple[int, tuple[Place, Place]]]


def slow_fans(whole: dict[int, list[Place]], edges: Iterable[Owners]) -> set[Place]:
    alone = [((number, at), (number, at)) for number in whole for at in whole[number]]
    beside = [
        ((one, at), (other, at))
        for of in edges
        for (one, side), (other, _) in combinations(of, 2)
        for at in side
    ]
    fans_at = Counter(fan[0][1] for fan in groups([*alone, *beside]))  # type: ignore[index]
    return {at for at, number in fans_at.items() if number > 1}


def slow_flipped(whole: dict[int, list[Place]], twos: list[Owners]) -> tuple[int, int]:
    beside = defaultdict(list)
    for (one, side), (other, counterpart) in twos:
        beside[one].append((other, side == counterpart))
        beside[other].append((one, side == counterpart))
    turned: dict[int, bool] = {}
    minority = one_sided = 0
    for first in whole:
        if first in turned:
            continue
        turned[first], patch, torn = False, [first], False
        for triangle in patch:
            for neighbour, differs in beside[triangle]:
                expected = turned[triangle] != differs
                if neighbour not in turned:
                    turned[neighbour] = expected
                    patch.append(neighbour)
                torn |= turned[neighbour] != expected
        away = sum(turned[triangle] for triangle in patch)
        one_sided += torn
        minority += 0 if torn else min(away, len(patch) - away)
    return minority, one_sided


# Few places, so that corners meet, triangles repeat and edges have many owners; 1e-9 is the same
# place as 0, and other bits.
CLUTTER = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.just(3), st.just(3)),
    elements=st.sampled_from([np.float32(value) for value in (-1.0, -0.0, 0.0, 1e-9, 0.1, 2.0)]),
)
# Quads of a grid, cut in two, some turned, some missing: surfaces rather than heaps.
QUADS = [
    corners
    for x in range(4)
    for y in range(4)
    for corners in (((x, y, 0), (x + 1, y, 0), (x, y + 1, 0)),
                    ((x + 1, y, 0), (x + 1, y + 1, 0), (x, y + 1, 0)))
]  # fmt: skip


@st.composite
def surfaces(draw: st.DrawFn) -> Triangles:
    whole = np.array(QUADS, dtype=np.float32)
    choice = draw(st.lists(st.sampled_from([0, 1, 2]), min_size=len(whole), max_size=len(whole)))
    kept = [corners[:: 1 if how == 1 else -1] for corners, how in zip(whole, choice) if how]  # noqa: B905
    order = draw(st.permutations(range(len(kept))))
    return np.array([kept[at] for at in order] or whole[:1], dtype=np.float32)


@given(CLUTTER | surfaces())
def test_the_counts_are_those_of_the_definitions(triangles: Triangles) -> None:
    assert counts(triangles) == slow_counts(triangles)


@given(CLUTTER)
def test_a_hash_that_always_collides_changes_no_count(triangles: Triangles) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "_MIX", 0)
        assert counts(triangles) == slow_counts(triangles)


@pytest.mark.parametrize("block", [1, 7, 100])
def test_where_the_blocks_end_makes_no_difference(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    triangles = arch(1_000, seed=3)
    monkeypatch.setattr(grouping, "BLOCK", block)
    assert counts(triangles) == slow_counts(triangles)


def test_a_large_arch_is_counted_as_the_slow_way_counts_it() -> None:
    triangles = arch(60_000, seed=2)
    assert counts(triangles) == slow_counts(triangles)


@given(CLUTTER, st.randoms())
def test_the_order_of_triangles_and_their_first_corner_change_no_count(
    triangles: Triangles, random: Random
) -> None:
    order = random.sample(range(len(triangles)), len(triangles))
    turned = np.stack([np.roll(triangles[at], random.randrange(3), axis=0) for at in order])
    one, other = counts(triangles), counts(turned)
    assert len(one.duplicates) == len(other.duplicates)
    assert counts_but_numbers(one) == counts_but_numbers(other)


def counts_but_numbers(of: Counts) -> Counts:
    return replace(of, duplicates=set())


CORNER = ((0, 0, 0), (1, 0, 0), (0, 1, 0))


def strip(count: int, *, twisted: bool) -> Triangles:
    """A closed band of quads; twisted it has one side."""
    points = []
    for turn in np.linspace(0, 2 * np.pi, count, endpoint=False):
        half = turn / 2 * twisted
        away = [3 + w * np.cos(half) for w in (-1, 1)]
        rise = [w * np.sin(half) for w in (-1, 1)]
        points.append(
            [(r * np.cos(turn), r * np.sin(turn), z) for r, z in zip(away, rise, strict=True)]
        )
    points.append(points[0][::-1] if twisted else points[0])
    triangles = []
    for (a, b), (c, d) in pairwise(points):
        triangles += [(a, b, c), (b, d, c)]
    return np.array(triangles, dtype=np.float32)


def test_a_moebius_strip_has_one_side_and_one_border() -> None:
    plain, twisted = counts(strip(12, twisted=False)), counts(strip(12, twisted=True))
    assert (plain.one_sided, plain.flipped, plain.inconsistent) == (0, 0, 0)
    assert (twisted.one_sided, twisted.flipped) == (1, 0)
    assert twisted.inconsistent == 1
    assert plain.boundary == twisted.boundary == 24


def test_two_cubes_that_touch_in_an_edge_share_a_non_manifold_edge_and_no_vertex() -> None:
    found = counts(np.concatenate((cube(), cube(at=(1, 1, 0)))))
    assert found.non_manifold_edges == 1
    assert not found.non_manifold_vertices
    assert found.components == 1


def test_two_cubes_that_touch_in_a_vertex_share_a_non_manifold_vertex() -> None:
    found = counts(np.concatenate((cube(), cube(at=(1, 1, 1)))))
    assert found.non_manifold_edges == 0
    assert found.non_manifold_vertices == {(10**8,) * 3}


def test_a_bow_tie_is_one_component_with_two_fans() -> None:
    blade = np.array([CORNER], dtype=np.float32)
    found = counts(np.concatenate((blade, -blade)))
    assert found.non_manifold_vertices == {(0, 0, 0)}
    assert found.components == 1


@pytest.mark.parametrize("turned", [1, 5, 6, 7, 11])
def test_the_fewer_ones_are_flipped(turned: int) -> None:
    body = cube()
    body[:turned] = body[:turned, ::-1]
    assert counts(body).flipped == min(turned, 12 - turned)


def test_corners_less_than_the_grid_apart_are_one_vertex() -> None:
    near, far = cube(), cube()
    near[0, 0, 0] += np.float32(3e-9)
    far[0, 0, 0] += np.float32(3e-8)
    assert (counts(near).vertices, counts(near).exact_vertices) == (8, 9)
    assert (counts(far).vertices, counts(far).exact_vertices) == (9, 9)


@given(st.floats(-1.0, 1.0, width=32), st.integers(-3, 3))
def test_two_numbers_are_one_place_exactly_if_they_round_alike(value: float, steps: int) -> None:
    one = other = np.float32(value)
    for _ in range(abs(steps)):
        other = np.nextafter(other, np.float32(np.sign(steps) * 2))
    triangle = np.array([[[one, 5, 5], [other, 5, 5], [9, 9, 9]]], dtype=np.float32)
    same = on_grid(triangle[0, 0]) == on_grid(triangle[0, 1])
    assert len(topology(planes(triangle)).corner_of) == (2 if same else 3)


def test_a_chain_of_ten_thousand_triangles_is_one_component() -> None:
    x = np.arange(10_000, dtype=np.float32)
    chain = np.zeros((len(x), 3, 3), dtype=np.float32)
    chain[:, 0, 0], chain[:, 1, 0], chain[:, 2, 0], chain[:, 2, 1] = x, x + 1, x, 1 + x % 7
    shuffled = chain[np.random.default_rng(1).permutation(len(x))]
    assert topology(planes(shuffled)).components == 1
