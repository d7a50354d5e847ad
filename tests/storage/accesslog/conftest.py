"""The ground of the log's tests as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.database import Database
from tests.storage.accesslog.log_ground import Ground


@pytest.fixture
def ground(database: Database, data_directory: Path) -> Ground:
    return Ground(database, data_directory)
