"""What was done to a file against identification, in the codes of DICOM (PS3.16, CID 7050).

One code applies. The basic profile is what happens to every file: whatever can name somebody is
left out, whether or not anything was there. No option is claimed that would say more: nobody looks
for letters in the pixels (113101, Clean Pixel Data) or for a face in them or in a mesh (113102,
Clean Recognizable Visual Features); descriptions are not cleaned and kept, they go (113105); and
of what the options from 113106 on allow to keep, nothing is kept.
"""

from dataclasses import dataclass
from typing import Literal

ScrubCode = Literal["113100"]
_MEANINGS: dict[ScrubCode, str] = {"113100": "Basic Application Confidentiality Profile"}


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """One method of de-identification, coding scheme DCM; the words are ours, not a worker's."""

    code: ScrubCode

    def to_json(self) -> dict[str, object]:
        """Code and meaning, as DICOM tag (0012,0064) has them."""
        return {"code": self.code, "meaning": _MEANINGS[self.code]}


BASIC = (Scrubbed("113100"),)
