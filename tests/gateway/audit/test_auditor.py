"""The whole check: an honest log passes, and each lie is found with its index."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.auditor import Evidence
from gateway.audit.kept import Kept, KeptStateError
from gateway.audit.receipts import Receipt, ReceiptsError, parse
from gateway.audit.series import LEGAL_TERM, LoggedEvent
from gateway.audit.tiles import Tile
from keys.signing import Cosigner
from storage.accesslog.checkpoint import Checkpoint
from storage.accesslog.event import AccessEvent
from tests.gateway.audit.world import (
    MINE,
    NOW,
    OTHER,
    SERVER,
    World,
    altered,
    cosigning_key,
    flipped,
    judged,
    lies,
    signing_key,
)

SIZES = (1, 2, 7, 256, 300, 700)


@pytest.fixture
def world() -> World:
    """300 entries; those of the practice have the even indexes."""
    return World().grow(300)


def kept(world: World) -> Kept:
    report = judged(world.evidence())
    assert report.findings == ()
    assert report.kept is not None
    return report.kept


@pytest.mark.parametrize("size", SIZES)
def test_an_honest_log_is_right_at_first_and_at_every_later_size(size: int) -> None:
    world = World().grow(size)
    before = kept(world)
    for more in (0, 1, 260):
        world.grow(more)
        report = judged(world.evidence(earlier=size), before)

        assert lies(report) == []
        assert report.size == len(world.commitments)
        assert report.events == len(world.mine)
        assert report.kept is not None


def test_a_practice_without_events_learns_that_the_tree_is_the_one_signed() -> None:
    assert lies(judged(World().grow(9, every=10).evidence(events=[]))) == []


def test_each_withheld_event_is_a_gap_at_the_index_behind_it(world: World) -> None:
    for at in range(len(world.mine) - 1):
        shown = world.mine[:at] + world.mine[at + 1 :]

        assert lies(judged(world.evidence(events=shown))) == [("gap", world.mine[at + 1].index)]


def test_a_gap_cannot_be_closed_by_numbering_the_rest_anew(world: World) -> None:
    later = [replace(event, number=event.number - 1) for event in world.mine[4:]]

    report = judged(world.evidence(events=[*world.mine[:3], *later]))

    assert lies(report)[0] == ("foreign", later[0].index)
    assert len(report.findings) == len(later)


def test_an_event_that_was_seen_and_is_withheld_at_the_end_is_named(world: World) -> None:
    report = judged(world.evidence(events=world.mine[:-2], earlier=300), kept(world))

    assert lies(report) == [("withheld", world.mine[-2].index)]
    assert report.findings[0].subject == str(len(world.mine) - 1)
    assert report.kept is None


@pytest.mark.parametrize(
    "lie",
    [
        lambda event: altered(event, user={"id": "account-2"}),
        lambda event: altered(event, event={"code": "case.list"}),
        lambda event: replace(event, salt=bytes(32)),
        lambda event: replace(event, record=str(event.record).replace(":", ": ", 1)),
    ],
)
def test_an_altered_event_is_named_by_its_index(
    world: World, lie: Callable[[LoggedEvent], LoggedEvent]
) -> None:
    for at in (0, 70, len(world.mine) - 1):
        shown = list(world.mine)
        shown[at] = lie(shown[at])

        assert lies(judged(world.evidence(events=shown))) == [("altered", shown[at].index)]


@settings(max_examples=100)
@given(at=st.integers(0, 29), bit=st.integers(0, 10_000))
def test_no_bit_of_a_shown_record_can_be_changed(at: int, bit: int) -> None:
    world = World().grow(60)
    event = world.mine[at]
    content = bytearray(str(event.record).encode())
    content[bit // 8 % len(content)] ^= 1 << bit % 7  # stays ASCII
    shown = list(world.mine)
    shown[at] = replace(event, record=content.decode())

    report = judged(world.evidence(events=shown))

    assert ("altered", event.index) in lies(report)
    assert report.findings[0].index == event.index


def test_an_event_of_another_practice_in_place_of_ones_own_is_foreign(world: World) -> None:
    shown = list(world.mine)
    shown[5] = altered(shown[5], object={"controller_id": OTHER})

    assert ("foreign", shown[5].index) in lies(judged(world.evidence(events=shown)))


@pytest.mark.parametrize("record", ["", "[]", "null", "{}", '{"number": 6}', "[" * 9_999, "\u00e9"])
def test_what_is_no_record_is_foreign(world: World, record: str) -> None:
    shown = list(world.mine)
    shown[5] = replace(shown[5], record=record)

    assert ("foreign", shown[5].index) in lies(judged(world.evidence(events=shown)))


def test_events_that_are_swapped_duplicated_or_moved_are_misplaced(world: World) -> None:
    one, two = world.mine[3], world.mine[4]
    swapped = [*world.mine[:3], two, one, *world.mine[5:]]
    duplicated = [*world.mine[:4], one, *world.mine[4:]]
    moved = [*world.mine[:3], replace(one, index=one.index + 1), *world.mine[4:]]
    beyond = [*world.mine, LoggedEvent(151, 300, one.record, one.salt)]
    countless = [*world.mine[:3], replace(one, number=10**15), *world.mine[4:]]

    assert ("misplaced", one.index) in lies(judged(world.evidence(events=swapped)))
    assert ("misplaced", one.index) in lies(judged(world.evidence(events=duplicated)))
    assert ("altered", one.index + 1) in lies(judged(world.evidence(events=moved)))
    assert ("misplaced", 300) in lies(judged(world.evidence(events=beyond)))
    assert ("misplaced", one.index) in lies(judged(world.evidence(events=countless)))


def rewritten(world: World, index: int) -> World:
    """The same log with another entry at an index, signed anew with the true key."""
    commitments = [*world.commitments]
    commitments[index] = bytes(32)
    return replace(world, commitments=commitments)


@pytest.mark.parametrize("index", [1, 255, 257, 299])
def test_a_log_rewritten_with_the_true_key_is_found_by_who_kept_state(
    world: World, index: int
) -> None:
    forged = rewritten(world, index)

    assert lies(judged(forged.evidence())) == []  # nobody could know at first sight
    (found,) = judged(forged.evidence(earlier=300), kept(world)).findings
    first, _, last = found.subject.partition("-")
    assert found.lie == "rewritten"
    assert int(first) <= index <= int(last)
    assert index < 256 or found.index == index  # exact in the part that was not yet complete


def test_where_ones_own_event_was_rewritten_its_index_is_named(world: World) -> None:
    forged = World(key=world.key)
    for index in range(300):
        name = "account-9" if index == 100 else "account-1"
        forged.add(MINE if index % 2 == 0 else OTHER, actor_id=name)

    assert lies(judged(forged.evidence())) == []
    assert lies(judged(forged.evidence(earlier=300), kept(world))) == [("rewritten", 100)]


@pytest.mark.parametrize("size", [0, 1, 150, 256, 299])
def test_a_rolled_back_log_is_found_at_the_first_entry_that_is_gone(
    world: World, size: int
) -> None:
    before = kept(world)
    rolled = World(key=world.key).grow(size)

    assert lies(judged(rolled.evidence(earlier=300), before))[0] == ("rolled_back", size)


def test_a_log_that_was_rolled_back_and_grew_again_is_found(world: World) -> None:
    regrown = World(key=world.key).grow(280)
    for _ in range(40):
        regrown.add(OTHER)

    found = lies(judged(regrown.evidence(earlier=300), kept(world)))
    assert found[0] == ("rewritten", 280)


def test_an_older_bundle_is_not_a_roll_back_and_replaces_nothing(world: World) -> None:
    older = World().grow(280)
    before = kept(world)

    report = judged(older.evidence(live=False), before)

    assert lies(report) == []
    assert report.kept == before


def test_a_checkpoint_that_somebody_else_signed_is_refused(world: World) -> None:
    forger = replace(world, key=signing_key(2))
    torn = world.checkpoint()[:-9] + "\n"
    other = signing_key().sign_note(Checkpoint("another.invalid", 1, bytes(32)).text())

    for note in (forger.checkpoint(), torn, "", other, "\n\n"):
        evidence = replace(world.evidence(), note=note)
        assert lies(judged(evidence)) == [("unsigned", 0)]


@pytest.mark.parametrize(("tile", "at"), [(Tile(0, 0), 8), (Tile(0, 1, 44), 6), (Tile(1, 0, 1), 0)])
def test_a_false_tile_is_found(world: World, tile: Tile, at: int) -> None:
    honest = world.evidence()
    evidence = replace(honest, tiles=flipped(dict(honest.tiles), tile, at))
    exact = {0: 8, 1: 262}

    found = lies(judged(evidence))

    assert len(found) == 1
    assert found[0][0] == "false_tree"
    assert found[0][1] == (exact[tile.number] if tile.level == 0 else 0)


def test_a_record_altered_together_with_its_tile_is_found_and_named_by_who_kept_state(
    world: World,
) -> None:
    before, forged = kept(world), rewritten(world, 100)
    honest = world.evidence(earlier=300)
    tiles = {tile: forged.tiles()[tile.level, tile.number] for tile in honest.tiles}

    report = judged(replace(honest, tiles=tiles), before)

    assert {lie for lie, _ in lies(report)} == {"false_tree"}
    assert report.findings[0].index == 100


def test_a_missing_tile_is_named_and_nothing_is_believed(world: World) -> None:
    honest = world.evidence()
    for tile in honest.tiles:
        left = {one: hashes for one, hashes in honest.tiles.items() if one != tile}

        report = judged(replace(honest, tiles=left))

        assert [(f.lie, f.subject) for f in report.findings] == [("unproven", tile.path)]
        assert report.kept is None


def receipt(event: AccessEvent, kind: str = "download", **more: str | None) -> Receipt:
    fields = {"server": SERVER, "event": event.id, "kind": kind, "at": event.at.isoformat()}
    return next(parse([json.dumps(fields | more)]))


def test_receipts_are_borne_out_missing_or_contradicted() -> None:
    world = World().grow(4)
    more = {"code": "file.download", "case_id": "case-1", "object_type": "file"}
    event = world.add(**more, object_id="file-1")
    world.grow(3)
    true = receipt(event, case="case-1", file="file-1")
    unknown = replace(true, event="0197e0d4-0000-7000-8000-0000000000aa")
    false = [
        replace(true, case="case-2"),
        replace(true, file="file-2"),
        replace(true, kind="audit"),
    ]

    def found(*receipts: Receipt, live: bool = True) -> list[tuple[str, int | None]]:
        evidence = world.evidence(receipts=receipts, live=live)
        return lies(judged(evidence, receipts=receipts))

    assert found(true) == []
    assert found(true, unknown) == [("receipt_missing", None)]
    for lie in false:
        assert found(lie) == [("receipt_contradicted", 4)]
    # A bundle cannot hold what came after it; something earlier it must hold.
    assert found(unknown, live=False) == []
    assert found(replace(true, event="0197e0d4-0000-7000-8000-000000000002x"), live=False) != []
    past = (NOW - LEGAL_TERM).isoformat()
    assert found(replace(unknown, at=past)) == []


def test_a_damaged_line_of_receipts_is_not_passed_over() -> None:
    line = Receipt(SERVER, "e", "upload", NOW.isoformat()).to_json()
    bad = ["{", "{}", line.replace("upload", "unknown"), line.replace("+00:00", ""), "[]", "null"]
    for broken in bad:
        with pytest.raises(ReceiptsError) as caught:
            list(parse([line, broken, line]))
        assert caught.value.line == 2


def test_pruned_events_are_proved_by_their_places_when_their_term_is_over() -> None:
    world = World(began=NOW - LEGAL_TERM - timedelta(seconds=20)).grow(300)
    due = [event.index < 20 for event in world.mine]
    pruned = [
        replace(event, record=None, salt=None) if is_due else event
        for event, is_due in zip(world.mine, due, strict=True)
    ]

    report = judged(world.evidence(events=pruned, earlier=300), kept(world))

    assert lies(report) == []
    assert report.pruned == sum(due) == 10


def test_an_event_hidden_as_pruned_within_its_term_is_named(world: World) -> None:
    shown = list(world.mine)
    shown[9] = replace(shown[9], record=None, salt=None)

    assert lies(judged(world.evidence(events=shown))) == [("pruned_early", shown[9].index)]


def witnessed(world: World, *seeds: int, ago: int = 0) -> Evidence:
    evidence = world.evidence()
    text = evidence.note.rpartition("\n\n")[0] + "\n"
    at = int(NOW.timestamp()) - ago
    return replace(
        evidence, note=evidence.note + "".join(cosigning_key(s).cosign(text, at) for s in seeds)
    )


def test_as_many_witnesses_as_asked_must_have_cosigned(world: World) -> None:
    trusted = tuple(Cosigner.parse(cosigning_key(seed).verifier) for seed in (11, 12, 13))

    for signed, right in (((11, 13), True), ((11,), False), ((11, 14, 15), False), ((), False)):
        report = judged(witnessed(world, *signed), witnesses=trusted, needed=2)
        assert lies(report) == ([] if right else [("unwitnessed", None)])
    assert report.witnesses == ()
    names = judged(witnessed(world, 13, 11), witnesses=trusted, needed=2).witnesses
    assert names == ("witness.invalid/11", "witness.invalid/13")


def test_a_forged_cosignature_counts_for_nothing(world: World) -> None:
    trusted = (Cosigner.parse(cosigning_key(11).verifier),)
    honest = witnessed(world, 11)
    elsewhere = witnessed(World().grow(10), 11).note.splitlines(keepends=True)[-1]

    forged = replace(honest, note=world.checkpoint() + elsewhere)

    assert lies(judged(forged, witnesses=trusted, needed=1)) == [("unwitnessed", None)]


def test_a_checkpoint_older_than_allowed_is_stale(world: World) -> None:
    trusted = (Cosigner.parse(cosigning_key(11).verifier),)
    hour = timedelta(hours=1)
    day_old = world.evidence()  # by the times of its own events
    just_cosigned, long_ago = witnessed(world, 11), witnessed(world, 11, ago=3601)

    assert lies(judged(day_old, max_age=hour)) == [("stale", None)]
    assert lies(judged(day_old, max_age=timedelta(days=2))) == []
    assert lies(judged(just_cosigned, max_age=hour, witnesses=trusted, needed=1)) == []
    stale = judged(long_ago, max_age=hour, witnesses=trusted, needed=1)
    assert lies(stale) == [("stale", None)]


def test_what_is_kept_comes_back_and_damage_is_noticed(world: World) -> None:
    before = kept(world)
    content = before.to_json()

    assert Kept.parse(content) == before
    for broken in ("", "[]", "{}", content[:-3], content.replace("/1", "/2", 1), "null"):
        with pytest.raises(KeptStateError):
            Kept.parse(broken)
    shortened = json.loads(content)
    shortened["events"] = {MINE: "AAAA"}
    with pytest.raises(KeptStateError):
        Kept.parse(json.dumps(shortened))


def test_the_places_of_another_practice_stay_kept(world: World) -> None:
    before = replace(kept(world), places={"practice-west": (), **kept(world).places})

    report = judged(world.evidence(earlier=300), before)

    assert report.kept is not None
    assert set(report.kept.places) == {"practice-west", MINE}
