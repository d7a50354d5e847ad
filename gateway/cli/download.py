"""`kluis download`: fetch files of a case, whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import aiofiles
import typer

from gateway.cli import options, texts
from gateway.cli.client import BREAKS, Client, JsonObject, Patience, Pauses, connect
from gateway.cli.errors import (
    CorruptDownloadError,
    LocalFileError,
    RefusedError,
    UsageError,
)
from gateway.cli.output import Output, size
from gateway.cli.receipts import HEADER, Receipts
from gateway.cli.sender import PIECE
from gateway.cli.texts import Words

_EXTENSIONS = {
    "model/stl": ".stl",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "application/pdf": ".pdf",
}
_LONGEST_NAME = 120
_TAKEN = Words(
    "there is another file of this name; move it away, or choose another --to",
    "er is al een ander bestand met deze naam; verplaats het, of kies een andere --to",
)
_NO_SUCH_FILE = Words(
    "The case has no accepted file of this id. `kluis case show CASE` lists them.",
    "De casus heeft geen aanvaard bestand met dit nummer. `kluis case show CASE` toont ze.",
)

FileId = Annotated[
    str | None,
    typer.Argument(metavar="[FILE]", help="Id of one file; else all.", show_default=False),
]
To = Annotated[Path, typer.Option(help="Directory to put them in; made if missing.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.command(app, "download", example="kluis download CASE --to ./case")(download)


async def download(
    case: options.Case,
    file: FileId = None,
    to: To = Path(),
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Fetch the accepted files of a case. After a break it goes on where it was."""
    out = Output(as_json)
    async with connect(server) as client:
        view = await client.get(f"cases/{case}")
        wanted = targets(view["files"], to)
        if file is not None:
            wanted = [target for target in wanted if target.file_id == file]
            if not wanted:
                raise UsageError("file", _NO_SUCH_FILE)
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        fetcher = Fetcher(client, case, Patience(), Receipts())
        for target in wanted:
            with out.bar(target.path.name, target.size) as arrived:
                await fetcher.fetch(target, arrived)
            out.say(texts.SAVED.say(path=target.path, size=size(target.size)))
    if as_json:
        out.answer([target.to_json() for target in wanted], "")


@dataclass(frozen=True, slots=True)
class Target:
    """One file to fetch: where from, where to, and what it must be."""

    file_id: str
    path: Path
    size: int
    sha256: str

    @property
    def partial(self) -> Path:
        """Where it grows. Named by its content, so a part never continues another file."""
        return self.path.with_name(f".{self.sha256}.part")

    def to_json(self) -> JsonObject:
        """The target for `--json`."""
        return {"id": self.file_id, "path": str(self.path), "sha256": self.sha256}


def targets(files: Sequence[JsonObject], directory: Path) -> list[Target]:
    """Where each accepted file of a case goes; no two to one place, and none outside."""
    accepted = [view for view in files if view["state"] == "accepted"]
    names = [_safe_name(view) for view in accepted]
    # On a disk that knows no capitals, two names that differ in them are one.
    times = Counter(name.casefold() for name in names)
    return [
        Target(
            file_id=view["id"],
            path=directory
            / (name if times[name.casefold()] == 1 else f"{view['kind']}-{view['number']}-{name}"),
            size=view["size"],
            sha256=view["sha256"],
        )
        for view, name in zip(accepted, names, strict=True)
    ]


def _safe_name(view: JsonObject) -> str:
    """The name that the sender gave, made harmless; a plain one where it is not shown to us."""
    extension = _EXTENSIONS.get(view["media_type"], "")
    plain = f"{view['kind']}-{view['number']}{extension}"
    given = re.sub(r"[^\w .()+-]", "_", view["name"] or "").strip(" .")
    stem = given[: -len(extension)] if extension and given.lower().endswith(extension) else given
    return f"{stem[:_LONGEST_NAME]}{extension}" if stem else plain


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches files of one case."""

    client: Client
    case_id: str
    patience: Patience
    receipts: Receipts

    async def fetch(self, target: Target, arrived: Callable[[int], None]) -> None:
        """Put the file in its place, whole and checked. What is there already is kept.

        Order: bytes into the partial file, hash, rename. A crash leaves a partial file, which
        the next run continues.

        Raises:
            LocalFileError: Another file is in its place.
            CorruptDownloadError: The hash is wrong; nothing is kept.
            RefusedError, UnreachableError: Not to be had, or not now.
        """
        if target.path.exists():
            if await _sha256(target.path) != target.sha256:
                raise LocalFileError(path=target.path, reason=_TAKEN.say())
            return
        pauses = Pauses(self.patience, self.client.server)
        while not await self._is_complete(target, arrived):
            pauses.note(_length(target.partial))
            await pauses.next()
        if await _sha256(target.partial) != target.sha256:
            target.partial.unlink()
            raise CorruptDownloadError(file_id=target.file_id)
        target.partial.rename(target.path)

    async def _is_complete(self, target: Target, arrived: Callable[[int], None]) -> bool:
        """Try to complete the partial file; whether all of it is there."""
        there = _length(target.partial)
        if there >= target.size and target.partial.exists():
            return True
        try:
            await self._continue(target, there, arrived)
        except RefusedError as error:
            if not error.passes:
                raise
        except BREAKS:
            pass
        return _length(target.partial) >= target.size

    async def _continue(self, target: Target, there: int, arrived: Callable[[int], None]) -> None:
        """Fetch what is missing (RFC 9110 section 14: Range, and If-Range for the same bytes)."""
        path = f"cases/{self.case_id}/files/{target.file_id}/content"
        tag = f'"{target.sha256}"'
        headers = {"Range": f"bytes={there}-", "If-Range": tag} if there else {}
        async with self.client.request(
            "GET", self.client.address(path), headers=headers
        ) as response:
            self.receipts.keep(
                self.client.server,
                response.headers.get(HEADER),
                "download",
                case=self.case_id,
                file=target.file_id,
                sha256=target.sha256,
            )
            # Anything but 206 is the whole file from its first byte.
            count = there if response.status == HTTPStatus.PARTIAL_CONTENT else 0
            async with aiofiles.open(target.partial, "ab", opener=_private) as file:
                await file.truncate(count)
                async for piece in response.content.iter_chunked(PIECE):
                    await file.write(piece)
                    count += len(piece)
                    arrived(count)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    async with aiofiles.open(path, "rb") as file:
        while piece := await file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
