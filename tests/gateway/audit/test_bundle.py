"""Bundles: whole evidence in a file, and refused when they are damaged."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit import bundle
from gateway.audit.auditor import Evidence
from gateway.audit.bundle import BundleError
from gateway.audit.series import LoggedEvent, Series
from tests.gateway.audit.world import NOW, World, judged, lies

WORLD = World().grow(40)


def lines_of(evidence: Evidence, events: Sequence[LoggedEvent]) -> list[str]:
    return [
        bundle.head(evidence.note),
        *map(bundle.event_line, events),
        *(bundle.tile_line(tile, hashes) for tile, hashes in evidence.tiles.items()),
    ]


LINES = lines_of(WORLD.evidence(), WORLD.mine)


def read(lines: list[str]) -> Evidence:
    return bundle.read(lines, Series(frozenset(), NOW))


def test_a_bundle_holds_what_the_server_showed() -> None:
    evidence = read(LINES)

    assert lies(judged(evidence)) == []
    assert evidence.tiles == WORLD.evidence().tiles
    assert evidence.series.places == WORLD.evidence().series.places
    assert not evidence.live


def test_pruned_events_are_in_a_bundle_too() -> None:
    line = bundle.event_line(LoggedEvent(1, 0))

    assert bundle.event_of(json.loads(line)) == LoggedEvent(1, 0)


def test_a_bundle_without_one_of_its_lines_is_never_right() -> None:
    for at in range(1, len(LINES) - 1):
        left = LINES[:at] + LINES[at + 1 :]
        if at == len(WORLD.mine):
            continue  # the last event: only a receipt or an earlier check could know of it
        assert lies(judged(read(left))) != [], at


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (0, "{}"),
        (0, '{"format": "kluis/audit-bundle/2", "checkpoint": "x"}'),
        (0, LINES[1]),
        (1, "not json"),
        (1, "[]"),
        (1, "{}"),
        (1, '{"number": 0, "index": 0}'),
        (1, '{"number": true, "index": 0}'),
        (1, '{"number": 1, "index": -1}'),
        (1, '{"number": 1, "index": 9223372036854775808}'),
        (1, '{"number": 1, "index": 0, "record": 3}'),
        (1, '{"number": 1, "index": 0, "record": "\\ud800"}'),
        (1, '{"number": 1, "index": 0, "salt": "*"}'),
        (1, '{"number": 1, "index": 0, "salt": 3}'),
        (1, '{"tile": "0/0", "hashes": ""}'),
        (1, '{"tile": "0/000", "hashes": 1}'),
        (1, '{"tile": 1, "hashes": ""}'),
        (1, "[" * 100_000),
    ],
)
def test_a_line_that_does_not_belong_is_named(at: int, line: str) -> None:
    with pytest.raises(BundleError) as caught:
        read([*LINES[:at], line, *LINES[at + 1 :]])

    assert caught.value.line == at + 1


def test_an_empty_file_is_no_bundle() -> None:
    with pytest.raises(BundleError):
        read([])


@given(st.lists(st.text(max_size=60) | st.sampled_from(LINES), max_size=8))
def test_whatever_a_file_holds_it_is_evidence_or_refused(lines: list[str]) -> None:
    try:
        evidence = read(lines)
    except BundleError:
        return
    assert evidence.note == WORLD.evidence().note
    judged(evidence)
