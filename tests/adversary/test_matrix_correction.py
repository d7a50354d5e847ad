"""The crash matrix of a correction: see tests/adversary/matrix.py."""

from __future__ import annotations

import pytest

from tests.adversary.matrix import FAULTS, Ground, strikes


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_correction_in_which_one_call_fails_comes_to_its_end(struck: Ground, fault: str) -> None:
    strikes(struck, "correction", fault)
