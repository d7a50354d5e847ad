"""A case as one zip, made while it is sent: constant memory, nothing on a disk."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from stat import S_IFREG

from stream_zip import ZIP_AUTO, AsyncMemberFile, async_stream_zip

from gateway.release.content import Content, Release

PRIVATE_FILE = S_IFREG | 0o600


def archive(
    release: Release, contents: Sequence[Content], begun: list[str]
) -> AsyncIterable[bytes]:
    """The zip of these files, named by kind and number; `begun` gets the ids of those begun.

    Stored, not deflated: a photo is compressed already, and a scan hardly shrinks.

    Raises:
        IntegrityFailedError: While iterating; the archive then has no directory and does not open.
    """

    async def members() -> AsyncIterator[AsyncMemberFile]:
        for content in contents:
            begun.append(content.file.id)
            written = content.file.finished_at or content.file.created_at
            whole = release.read(content, 0, content.size)
            yield content.name, written, PRIVATE_FILE, ZIP_AUTO(content.size, level=0), whole

    return async_stream_zip(members())
