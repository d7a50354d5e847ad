"""The confined process: `python -I -m gateway.inspection.worker MEMORY_BYTES CPU_SECONDS`.

Started ahead of its job. It imports everything, confines itself, says so, reads one job from
standard input, answers on standard output, and ends. A frame is a JSON object behind its length in
four bytes, big-endian; `bytes` in it is how much follows.

    -> {"network": true, "files": true, "memory": true}       what confinement was reached
    <- {"kind": "scan", "limits": {...}, "bytes": n} content
    -> {"report": {...}, "bytes": n} clean                    accepted
    -> {"code": "...", "reason": "...", "numbers": {...}}     refused

Any other failure ends the process without an answer; the pool makes a refusal of that.
"""

import io
import json
import os
import sys
from dataclasses import asdict
from typing import BinaryIO

import numpy as np
from PIL import Image

from gateway.inspection import stl
from gateway.inspection.confine import confine
from gateway.inspection.errors import InspectionError, InspectionOutOfMemoryError
from gateway.inspection.exif import orientation_alone
from gateway.inspection.inspect import inspect
from gateway.inspection.mesh import Mesh
from gateway.inspection.report import Limits

LENGTH_BYTES = 4


def main() -> None:
    """Do one job."""
    jobs, answers = sys.stdin.buffer, _take_standard_output()
    _warm_up()
    confinement = confine(memory_bytes=int(sys.argv[1]), cpu_seconds=int(sys.argv[2]))
    _send(answers, asdict(confinement))
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
        _send(answers, {"report": result.report.to_json(), "bytes": len(result.clean)})
        answers.write(result.clean)


def _warm_up() -> None:
    """Do a job of each kind. What a library has not imported by now, it never will."""
    limits = Limits()
    inspect("scan", stl.canonical(Mesh("stl_binary", np.zeros((3, 3, 1), np.float32))), limits)
    for coding in ("JPEG", "PNG"):
        with io.BytesIO() as photo:
            exif = b"Exif\0\0" + orientation_alone(2)
            Image.new("RGB", (16, 16)).save(photo, coding, exif=exif)
            inspect("photo", photo.getvalue(), limits)


def _take_standard_output() -> BinaryIO:
    """Keep the way out for frames: whatever a library prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a descriptor is wanted, not a path
        os.dup2(nowhere.fileno(), 1)
    return answers


def _refuse(answers: BinaryIO, error: InspectionError) -> None:
    _send(answers, {"code": error.code, "reason": error.reason, "numbers": error.numbers})


def _send(answers: BinaryIO, frame: object) -> None:
    content = json.dumps(frame).encode()
    answers.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)


if __name__ == "__main__":
    main()
