"""The place a ciphertext belongs to, bound to it as associated data.

Nothing here is secret. A sealed value or wrapped key moved to another controller, case,
object or purpose does not open.
"""

from dataclasses import dataclass
from enum import StrEnum

FORMAT = b"kluis/1"
"""Version of the format, never of a key: rotation must not change the context."""


class Purpose(StrEnum):
    """What a ciphertext is for."""

    INDEX_KEY = "index-key"
    ACCOUNT_KEY = "account-key"
    UPLOAD_KEY = "upload-key"
    CASE_KEY = "case-key"
    FILE_KEY = "file-key"
    PART = "part"
    FILE = "file"
    RECORD = "record"
    FACTOR = "factor"
    INCIDENT_KEY = "incident-key"
    INCIDENT = "incident"
    ROOT_KEY = "root-key"
    KEYRING = "keyring"
    BACKUP = "backup"


_OF_NO_CONTROLLER = frozenset({Purpose.ROOT_KEY, Purpose.KEYRING, Purpose.BACKUP})


@dataclass(frozen=True, slots=True)
class Context:
    """Purpose and owner of one ciphertext.

    Ids are printable text; what is not (a newline, NUL, a lone surrogate) is a ValueError,
    and so is a missing controller: nothing is shared between controllers but the keyring and
    what is backed up whole.
    """

    purpose: Purpose
    controller_id: str
    case_id: str = ""
    object_id: str = ""

    def __post_init__(self) -> None:
        if not all(map(str.isprintable, (self.controller_id, self.case_id, self.object_id))):
            raise ValueError("an id in a context is printable text")
        if bool(self.controller_id) == (self.purpose in _OF_NO_CONTROLLER):
            raise ValueError(f"{self.purpose}: a controller where there is one, and only there")

    def encode(self) -> bytes:
        """Return the associated data: five lines, hence no two contexts encode alike."""
        fields = (self.purpose, self.controller_id, self.case_id, self.object_id)
        return b"\n".join((FORMAT, *(field.encode() for field in fields)))
