"""The crash matrix of an upload: see tests/adversary/matrix.py."""

from __future__ import annotations

import pytest

from tests.adversary.matrix import FAULTS, Ground, strikes


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_an_upload_in_which_one_call_fails_loses_nothing(struck: Ground, fault: str) -> None:
    strikes(struck, "upload", fault)
