"""What a rule remembers: maps and windows that cannot grow without end.

Time here is that of the events, in whole seconds since 1970.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

MINUTE, HOUR, DAY = 60, 3600, 86400


class Kept(Generic[Key, Value]):
    """A map that forgets what was not touched for a time, and has a largest size.

    Beyond `most` the entry that was touched longest ago goes; `dropped` counts those.
    """

    def __init__(self, make: Callable[[], Value], *, most: int, idle: int) -> None:
        """Make absent values by `make`; forget them `idle` seconds after the last touch."""
        self._make = make
        self._most = most
        self._idle = idle
        self._entries: OrderedDict[Key, tuple[int, Value]] = OrderedDict()
        self.dropped = 0

    def touch(self, key: Key, at: int) -> Value:
        """The value of `key`, made if it is not there; it is now the last one touched."""
        entries = self._entries
        found = entries.pop(key, None)
        value = self._make() if found is None or found[0] < at - self._idle else found[1]
        entries[key] = (at, value)
        if found is None:
            self._forget(at)
        return value

    def get(self, key: Key, at: int) -> Value | None:
        """The value of `key`, if it is there and not forgotten; it is not touched."""
        found = self._entries.get(key)
        return None if found is None or found[0] < at - self._idle else found[1]

    def pop(self, key: Key) -> None:
        """Forget `key`."""
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)

    def _forget(self, at: int) -> None:
        entries, oldest = self._entries, at - self._idle
        while entries:
            key, (touched, _) = next(iter(entries.items()))
            if touched >= oldest and len(entries) <= self._most:
                return
            self.dropped += touched >= oldest
            del entries[key]


class Recent(Generic[Key]):
    """The distinct things of the last `length` seconds, at most `most` of them."""

    def __init__(self, length: int, most: int = 1024) -> None:
        """Remember nothing yet."""
        self._length = length
        self._most = most
        self._times: OrderedDict[Key, int] = OrderedDict()

    def add(self, thing: Key, at: int) -> int:
        """Add one, or say it again; how many distinct ones there are now."""
        self._times.pop(thing, None)
        self._times[thing] = at
        if len(self._times) > self._most:
            self._times.popitem(last=False)
        return self.count(at)

    def count(self, at: int) -> int:
        """How many distinct ones there were within the length before `at`."""
        times, oldest = self._times, at - self._length
        while times:
            thing, when = next(iter(times.items()))
            if when > oldest:
                break
            del times[thing]
        return len(times)

    def when(self, thing: Key) -> int | None:
        """When it was last added, if it is remembered."""
        return self._times.get(thing)

    def __contains__(self, thing: Key) -> bool:
        return thing in self._times

    def __iter__(self) -> Iterator[Key]:
        return iter(self._times)


class Days:
    """Counts by day (UTC), of the last `length` days on which there was anything to count."""

    def __init__(self, length: int) -> None:
        """Count nothing yet."""
        self._length = length
        self._counts: OrderedDict[int, int] = OrderedDict()

    def set(self, day: int, count: int) -> None:
        """Set the count of a day."""
        self._counts[day] = count
        if len(self._counts) > self._length:
            self._counts.popitem(last=False)

    def raise_to(self, day: int, count: int) -> None:
        """Set the count of a day, unless it was higher."""
        self.set(day, max(count, self._counts.get(day, 0)))

    def before(self, day: int) -> list[int]:
        """The counts of the days before `day` that are within the length."""
        oldest = day - self._length
        return [count for when, count in self._counts.items() if oldest <= when < day]
