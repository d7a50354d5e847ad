"""One job: what a worker, forked and bound, reads, does and answers.

A frame is a JSON object behind its length in four bytes, big-endian; what its sizes name follows.

    <- {"kind": "scan", "limits": {...}, "bytes": n} content
    -> {"report": {...}, "bytes": n, "thumbnail_bytes": m, "texts": [...]} clean thumbnail
    -> {"code": "...", "reason": "...", "numbers": {...}}     refused

Any other failure ends the process without an answer; the pool makes a refusal of that.
"""

import codecs
import io
import json
from typing import BinaryIO

import numpy as np
from PIL import Image

from gateway.inspection.errors import InspectionError, InspectionOutOfMemoryError
from gateway.inspection.inspect import inspect
from gateway.inspection.photos.exif import orientation_alone
from gateway.inspection.report import Limits, Result
from gateway.inspection.scans.canonical import canonical
from gateway.inspection.scans.mesh import Mesh

LENGTH_BYTES = 4
_ENCODINGS = ("ascii", "latin-1", "utf-8", "utf-16-be", "utf-16-le")
"""Of texts met in files: Python imports each at its first use."""
_TETRAHEDRON = np.eye(4, 3, dtype=np.float32)[[(0, 1, 2), (0, 3, 1), (1, 3, 2), (2, 3, 0)]]
SAMPLE = canonical(Mesh("stl_binary", _TETRAHEDRON.transpose(2, 1, 0)))
"""A scan that takes every path of its report."""


def work(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Do one job.

    Args:
        jobs: Where it is read from.
        answers: Where it is answered.
    """
    length = jobs.read(LENGTH_BYTES)
    if not length:
        return  # the pool has closed without a job for this one
    job = json.loads(jobs.read(int.from_bytes(length, "big")))
    try:
        result = inspect(job["kind"], jobs.read(job["bytes"]), Limits(**job["limits"]))
    except InspectionError as error:
        _refuse(answers, error)
    except MemoryError:
        _refuse(answers, InspectionOutOfMemoryError())
    else:
        _accept(answers, result)


def warm_up() -> None:
    """Do a job of each kind. What a library has not imported by now, it never will."""
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    limits = Limits()
    inspect("scan", SAMPLE, limits)
    for coding in ("JPEG", "PNG"):
        with io.BytesIO() as photo:
            exif = b"Exif\0\0" + orientation_alone(2)
            Image.new("RGB", (16, 16)).save(photo, coding, exif=exif)
            inspect("photo", photo.getvalue(), limits)


def _accept(answers: BinaryIO, result: Result) -> None:
    frame = {
        "report": result.report.to_json(),
        "bytes": len(result.clean),
        "thumbnail_bytes": len(result.thumbnail),
        "texts": result.texts,
    }
    _send(answers, frame)
    answers.write(result.clean)
    answers.write(result.thumbnail)


def _refuse(answers: BinaryIO, error: InspectionError) -> None:
    _send(answers, {"code": error.code, "reason": error.reason, "numbers": error.numbers})


def _send(answers: BinaryIO, frame: object) -> None:
    content = json.dumps(frame).encode()
    answers.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
