"""The log that a running watch follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.database import Database
from tests.gateway.watch.numbered import Numbered


@pytest.fixture
def ground(database: Database, data_directory: Path) -> Numbered:
    return Numbered(database, data_directory)
