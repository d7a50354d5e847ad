"""What can go wrong in storage, as one tree.

StorageError                 never raised itself
├── BlobExistsError          blobs are written once
├── BlobMissingError
├── StaleKeyVersionError     the controller key moved on between wrap and write; wrap again
├── LeaseLostError           somebody else holds the lease by now; stop at once
├── LogUnavailableError      the event is not durable; what it would have allowed must not happen
├── LogInconsistentError     the log does not extend what was signed before
├── SchemaError              the database is not at the version this program needs
└── DumpFormatError          a dump is not what it should be, or of another version
"""

from __future__ import annotations


class StorageError(Exception):
    """Base of everything storage raises; never raised itself."""

    code = "storage"


class BlobExistsError(StorageError):
    """A blob of this id is there already; blobs are written once."""

    code = "blob_exists"


class BlobMissingError(StorageError):
    """No blob of this id."""

    code = "blob_missing"


class StaleKeyVersionError(StorageError):
    """The key was wrapped under a version that is no longer current."""

    code = "stale_key_version"


class LeaseLostError(StorageError):
    """The lease ran out and another node holds it; nothing was written."""

    code = "lease_lost"


class LogUnavailableError(StorageError):
    """The access log could not be written; the access must not happen."""

    code = "log_unavailable"


class LogInconsistentError(StorageError):
    """The log in the database does not extend the log that was signed."""

    code = "log_inconsistent"


class SchemaError(StorageError):
    """The database is not at the schema version this program needs."""

    code = "schema"


class DumpFormatError(StorageError):
    """A dump is not what it should be, or of another version of the schema; nothing was loaded."""

    code = "dump_format"
