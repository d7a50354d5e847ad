"""The time of an answer tells nothing: a foreign case costs what a case costs that is not there.

Two proofs. The statements that the database is asked are the same, one by one, for every route;
and two thousand measured answers cannot be told apart by their rank (Mann-Whitney).
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from gateway.access.grants import traces
from tests.gateway.access.test_matrix import EXPECTED, Ground, ground
from tests.gateway.ground import SQLITE, UNKNOWN
from tests.house import API, House

__all__ = ["ground"]

DECIDING = re.compile(
    r"SELECT [^\n]*\nFROM (?:accounts|cases|assignments|emergencies|tokens)\b", re.ASCII
)
PAIRS = 1_000
MARGIN = 0.1
"""How far from one half the chance may lie that a foreign case takes longer than an unknown one.

By luck alone its deviation is 0.013 for 2 x 1000 answers: the margin is seven of those, and a
difference of a third of the spread of all answers is beyond it.
"""


@contextmanager
def asked(house: House) -> Iterator[list[str]]:
    """The statements that the main database is asked meanwhile, but for those of other tasks."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if traces.get(None) is not None:  # set for a request; the watch and the mail have none
            statements.append(statement)

    engine = house.rooms.main.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def of_deciding(statements: list[str]) -> list[str]:
    """Those that read accounts, cases, and what somebody stands in to them."""
    return [statement for statement in statements if DECIDING.match(statement)]


@SQLITE
async def test_a_foreign_and_an_unknown_case_ask_the_database_the_same(ground: Ground) -> None:
    compared = 0
    for row, cells in EXPECTED.items():
        for who in ("foreign", "other", "ended", "administrator"):
            if "/cases/-" not in row or cells[who] != 404:
                continue
            found = []
            for case_id in (ground.case_id, UNKNOWN):
                with asked(ground.house) as statements:
                    await ground.ask(ground.people[who], row, case_id)
                found.append(of_deciding(statements))
            foreign, unknown = found
            assert foreign == unknown != [], (row, who)
            compared += 1
    assert compared > 40


@SQLITE
@pytest.mark.slow
async def test_two_thousand_answers_do_not_tell_a_foreign_case_from_an_unknown_one(
    ground: Ground,
) -> None:
    planner, luck = ground.people["other"], random.Random(7)
    taken: dict[str, list[float]] = {ground.case_id: [], UNKNOWN: []}
    for _ in range(PAIRS):
        for case_id in luck.sample(list(taken), 2):  # whatever slows the machine slows both
            began = time.perf_counter()
            answer = await planner.ask("GET", f"{API}/cases/{case_id}")
            taken[case_id].append(time.perf_counter() - began)
            assert answer.status == 404

    assert abs(chance_of_longer(taken[ground.case_id], taken[UNKNOWN]) - 0.5) < MARGIN


def chance_of_longer(some: list[float], others: list[float]) -> float:
    """The chance that one of `some` is larger than one of `others` (the U statistic, scaled)."""
    ranked = sorted([(value, 1) for value in some] + [(value, 0) for value in others])
    ranks = sum(rank for rank, (_, mine) in enumerate(ranked, 1) if mine)
    return (ranks - len(some) * (len(some) + 1) / 2) / (len(some) * len(others))


def test_a_difference_of_a_third_of_the_spread_would_be_seen() -> None:
    luck = random.Random(3)
    some = [luck.gauss(1.0, 0.3) for _ in range(PAIRS)]
    longer = [luck.gauss(1.13, 0.3) for _ in range(PAIRS)]

    assert abs(chance_of_longer(some, [luck.gauss(1.0, 0.3) for _ in some]) - 0.5) < MARGIN
    assert abs(chance_of_longer(longer, some) - 0.5) > MARGIN
