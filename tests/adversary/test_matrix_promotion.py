"""The crash matrix of a promotion, from quarantine to the vault: see tests/adversary/matrix.py."""

from __future__ import annotations

import pytest

from tests.adversary.matrix import FAULTS, Ground, strikes


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_promotion_in_which_one_call_fails_loses_nothing(struck: Ground, fault: str) -> None:
    strikes(struck, "promotion", fault)
