"""`kluis certificate verify`: whether an erasure is proved, with two public keys and no server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.audit.certificate import CertificateError, check
from gateway.cli import options
from gateway.cli.errors import CommandError, LocalFileError, UsageError
from gateway.cli.output import Output, opened
from gateway.cli.texts import Words, language
from keys.errors import SignatureError
from keys.signing import Verifiers

app = options.group("certificate", "The certificate of an erasure.")

LARGEST = 64 * 1024 * 1024  # bytes of a certificate; one with 200 files has 40 kB

_NOT_A_KEY = Words(
    "This is not a public key, nor a file with one. The processor publishes it (*.pub);"
    " take it from the contract, not from whoever gave you the certificate.",
    "Dit is geen publieke sleutel en geen bestand daarmee. De verwerker maakt hem bekend (*.pub);"
    " neem hem uit het contract, niet van wie u het certificaat gaf.",
)
_UNREADABLE = Words("it is not a certificate in JSON", "het is geen certificaat in JSON")
_TRUE = Words(
    "The certificate is right: {what} was erased at {erased_at}, on the instruction of"
    " {requested_by} of {requested_at}.\n"
    "{count} files; key version {version} of provider {provider} was destroyed at {destroyed_at}.\n"
    "The erasure is entry {index} of the access log, under a checkpoint of {size} entries.\n"
    "Not covered:",
    "Het certificaat klopt: {what} is gewist op {erased_at}, in opdracht van"
    " {requested_by} van {requested_at}.\n"
    "{count} bestanden; sleutelversie {version} van {provider} is vernietigd op {destroyed_at}.\n"
    "Het wissen is regel {index} van het toegangslogboek, onder een ijkpunt van {size} regels.\n"
    "Niet gedekt:",
)
_WHAT: Mapping[str, Words] = {
    "case": Words("case {case_id}", "casus {case_id}"),
    "file": Words("one file of case {case_id}", "één bestand van casus {case_id}"),
    "rectification": Words(
        "what stood of the patient of case {case_id}",
        "wat er van de patiënt van casus {case_id} stond",
    ),
    "client": Words("everything of client {client}", "alles van klant {client}"),
}
_REASONS: Mapping[str, Words] = {
    "format": Words(
        "it is not a certificate of an erasure", "het is geen certificaat van een erasure"
    ),
    "key": Words(
        "it is signed by another key than the one you trust",
        "het is getekend met een andere sleutel dan die u vertrouwt",
    ),
    "signature": Words("its text was altered", "de tekst is veranderd"),
    "event": Words(
        "the entry of the log is of something else",
        "de regel van het logboek gaat over iets anders",
    ),
    "checkpoint": Words(
        "the checkpoint is not signed by the key of the log that you trust",
        "het ijkpunt is niet getekend met de logsleutel die u vertrouwt",
    ),
    "place": Words(
        "the log does not hold the entry at that place",
        "het logboek heeft de regel niet op die plaats",
    ),
}


class WrongCertificateError(CommandError):
    """It proves nothing, or something else."""

    code = "certificate"
    words = Words(
        "The certificate is NOT right: {reason}. Keep it, and ask the processor.",
        "Het certificaat klopt NIET: {reason}. Bewaar het en vraag de verwerker om uitleg.",
    )


File = Annotated[Path, typer.Argument(metavar="FILE", help="The certificate, as JSON.")]
Key = Annotated[
    str,
    typer.Option(
        metavar="KEY|FILE", help="Public key of certificates (certificate.pub).", show_default=False
    ),
]
Pdf = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also write the certificate as a page for people, a PDF."),
]


async def verify(
    file: File, key: Key, log_key: options.LogKey, pdf: Pdf = None, as_json: options.Json = False
) -> None:
    """Check a certificate without a server. 1: it is not right."""
    certificates, log = _key("key", key), _key("log_key", log_key)
    certificate = _read(file)
    try:
        body = check(certificate, certificates, log)
    except CertificateError as problem:
        raise WrongCertificateError(reason=_REASONS[problem.reason].say()) from None
    place = certificate["log"]
    if pdf is not None:
        _print(pdf, body, place)
    answer = {"ok": True, "body": body, "index": place["index"], "size": place["size"]}
    Output(as_json).answer(answer, _to_text(body, place))


def _key(field: str, given: str) -> Verifiers:
    try:
        return Verifiers.parse(options.key_text(given))
    except SignatureError:
        raise UsageError(field, _NOT_A_KEY) from None


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(LARGEST))
    except OSError as error:
        raise LocalFileError(path=path, reason=error.strerror) from None
    except (ValueError, RecursionError):
        raise LocalFileError(path=path, reason=_UNREADABLE.say()) from None


def _print(path: Path, body: Mapping[str, Any], place: Mapping[str, Any]) -> None:
    try:
        from gateway.exports.certificate import page  # noqa: PLC0415 - an extra, absent by choice
    except ImportError:
        raise UsageError("pdf", options.NO_PDF) from None
    try:
        with opened(path) as file:
            file.write(page(body, place["index"], place["size"], language()))
    except OSError as error:
        raise LocalFileError(path=path, reason=error.strerror) from None


def _to_text(body: Mapping[str, Any], place: Mapping[str, Any]) -> str:
    said = _TRUE.say(
        what=_WHAT[body["kind"]].say(case_id=body["case_id"], client=body["controller_id"]),
        erased_at=body["erased_at"],
        requested_by=body["requested_by"],
        requested_at=body["requested_at"],
        count=len(body["files"]),
        version=body["key"]["destroyed_version"],
        provider=body["key"]["provider"],
        destroyed_at=body["key"]["destroyed_at"],
        index=place["index"],
        size=place["size"],
    )
    return "\n".join([said, *(f"- {sentence}" for sentence in body["not_covered"])])


options.command(
    app,
    "verify",
    example="kluis certificate verify erasure.json --key certificate.pub --log-key log.pub",
)(verify)
