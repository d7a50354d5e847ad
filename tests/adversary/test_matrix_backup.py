"""The crash matrix of a back-up: see tests/adversary/matrix.py."""

from __future__ import annotations

import pytest

from tests.adversary.matrix import FAULTS, Ground, strikes


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_back_up_in_which_one_call_fails_leaves_a_whole_one(struck: Ground, fault: str) -> None:
    strikes(struck, "backup", fault)
