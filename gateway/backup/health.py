"""What `kluis doctor` says of back-ups: places, age of the newest, and when one was last tried."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from gateway.backup.errors import BackupError
from gateway.backup.place import MARK, Place
from gateway.settings import Settings

UNTESTED = timedelta(days=30)
LATE = 2  # intervals without a back-up


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what to do about it."""

    state: Literal["ok", "warning", "failed"]
    found: str
    remedy: str = ""


def look(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Every finding, in the order in which to put things right."""
    if not settings.recovery_key_path.exists():
        yield Finding("warning", "no recovery key", "make one: `kluis backup new-key`")
    if not settings.backup_directories:
        remedy = "name a directory on another machine's disk in backup_directories"
        yield Finding("warning", "no place is registered", remedy)
    yield from _keys(settings)
    for path in settings.backup_directories:
        yield from _place(Place(path), settings, now)


def _keys(settings: Settings) -> Iterator[Finding]:
    if settings.key_provider != "local":
        if settings.key_backup_directories:
            remedy = f"the keys are in {settings.key_provider}: use its own back-up"
            yield Finding("warning", "key_backup_directories is of no use", remedy)
        return
    if settings.backup_directories and not settings.key_backup_directories:
        remedy = "without the keyring no back-up opens: name a place in key_backup_directories"
        yield Finding("warning", "the keys are not backed up", remedy)
    for path in settings.key_backup_directories:
        if not _is_usable(path):
            yield _unusable(path)
        elif path.stat().st_dev == settings.data.stat().st_dev:
            remedy = "one broken disk takes both: use another one"
            yield Finding("warning", f"{path} is on the disk of the data", remedy)
        if path in settings.backup_directories:
            remedy = "keep the keys apart from what they open"
            yield Finding("warning", f"{path} holds keys and data", remedy)


def _place(place: Place, settings: Settings, now: datetime) -> Iterator[Finding]:
    if not _is_usable(place.root):
        yield _unusable(place.root)
        return
    try:
        at = place.newest().at
    except BackupError as error:
        yield Finding("warning", error.text("en"), "run `kluis backup`")
        return
    hours = settings.backup_hours
    if hours and now - at > LATE * timedelta(hours=hours):
        remedy = "see `backup_failed` in the log of the server; run `kluis backup`"
        yield Finding("failed", f"{place.root}: the newest is of {at:%Y-%m-%d %H:%M} UTC", remedy)
    else:
        yield Finding("ok", f"{place.root}: {at:%Y-%m-%d %H:%M} UTC")
    tested = place.last_test()
    if tested is None or now - tested > UNTESTED:
        when = f"last on {tested:%Y-%m-%d}" if tested else "never"
        remedy = "a back-up counts once it was restored: run `kluis backup test`"
        yield Finding("warning", f"{place.root}: a restore was tried {when}", remedy)


def _is_usable(path: Path) -> bool:
    return (path / MARK).is_file() and os.access(path, os.W_OK | os.X_OK)


def _unusable(path: Path) -> Finding:
    remedy = "mount it, or run `kluis backup` where it is new: erasures wait for it"
    return Finding("failed", f"{path} is no place that can be written to", remedy)
