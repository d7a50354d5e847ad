"""Why a back-up is not written or not restored, as one tree.

    BackupError                 never raised itself
    ├── NoPlaceError            nowhere to write to
    ├── RecoveryKeyMissingError nothing to seal to
    ├── PlaceUnusableError      not there, not writable, full
    ├── BackupMissingError      no whole generation, keystore or keys at a place
    ├── BackupDamagedError      names the part that is not what was written
    ├── BackupForeignError      opens, but this house did not write it
    ├── KeysTooOldError         the keys of the provider are from before the keystore
    ├── KeystoreTooOldError     the keystore is from before the keys that its practices have now
    ├── LogContradictsError     the log in it is not the one whose checkpoint is known
    ├── NotEmptyError           a restore never writes over anything
    └── UnfinishedRestoreError  nothing else is done with a directory meanwhile

Codes are public and never change. Texts carry paths, ids and counts.
"""

from __future__ import annotations

from typing import ClassVar


class BackupError(Exception):
    """Base of every refusal here; never raised itself."""

    code: ClassVar[str] = "backup"
    en: ClassVar[str] = ""
    nl: ClassVar[str] = ""

    def __init__(self, **values: object) -> None:
        """Keep what the text needs."""
        self.values = values
        super().__init__(self.text("en"))

    def text(self, language: str) -> str:
        """What happened and what to do, in "en" or "nl"."""
        return (self.nl if language == "nl" else self.en).format(**self.values)


class NoPlaceError(BackupError):
    """No place is registered and none was given."""

    code = "backup_no_place"
    en = "There is no place for the back-up. Set backup_directories, or give --to."
    nl = "Er is geen plaats voor de back-up. Stel backup_directories in, of geef --to."


class RecoveryKeyMissingError(BackupError):
    """The public half of the recovery key is not in the data directory."""

    code = "recovery_key_missing"
    en = "There is no recovery key to seal back-ups to. Make one: `kluis backup new-key`."
    nl = (
        "Er is geen herstelsleutel om back-ups mee te sluiten. Maak er een: `kluis backup new-key`."
    )


class PlaceUnusableError(BackupError):
    """The directory cannot be used as it is."""

    code = "backup_place_unusable"
    en = "{place} cannot be used ({reason}). See that it is mounted, ours and not full."
    nl = "{place} is niet bruikbaar ({reason}). Zorg dat het gekoppeld, van ons en niet vol is."


class BackupMissingError(BackupError):
    """What a restore needs is not there."""

    code = "backup_missing"
    en = "There is no {part} in {place}. Give the directory that back-ups were written to."
    nl = "Er is geen {part} in {place}. Geef de map waarnaar back-ups werden geschreven."


class BackupDamagedError(BackupError):
    """A part is not what was written, or was sealed to another recovery key."""

    code = "backup_damaged"
    en = "{part} is damaged, or of another recovery key. Nothing was restored; try another copy."
    nl = "{part} is beschadigd, of van een andere herstelsleutel. Er is niets hersteld."


class BackupForeignError(BackupError):
    """Anybody can seal to a public key; only the house can sign."""

    code = "backup_foreign"
    en = (
        "{part} was not signed by the house whose keys these are. Do not restore it; if the key of"
        " certificates was replaced since, give the old one with --certificate-key."
    )
    nl = (
        "{part} is niet ondertekend door het huis van deze sleutels. Herstel het niet; is de"
        " sleutel van certificaten sindsdien vervangen, geef dan de oude met --certificate-key."
    )


class KeysTooOldError(BackupError):
    """A practice's current key version is newer than anything the provider has had."""

    code = "backup_keys_older"
    en = "The provider's keys are older than the keystore. Give the newest --keys there is."
    nl = "De sleutels zijn ouder dan de sleutelkast. Geef de nieuwste --keys die er zijn."


class KeystoreTooOldError(BackupError):
    """A practice's current version in the keystore was destroyed since: nothing of it opens."""

    code = "backup_keystore_older"
    en = (
        "The keystore in {place} is older than the provider's keys: practice {controller} has moved"
        " on, and nothing of it opens. Give the newest keystore with --from, or --accept-losses."
    )
    nl = (
        "De sleutelkast in {place} is ouder dan de sleutels: praktijk {controller} is verder, en"
        " niets ervan gaat open. Geef de nieuwste met --from, of --accept-losses."
    )


class KeystoreBehindError(BackupError):
    """A generation is followed by its keystore, so an older one is of another time."""

    code = "backup_keystore_behind"
    en = (
        "The keystore in {place} is older than the data. Give the newest keystore with --from, or"
        " --accept-losses: then what came in between is lost."
    )
    nl = (
        "De sleutelkast in {place} is ouder dan de gegevens. Geef de nieuwste met --from, of"
        " --accept-losses: wat er tussenin kwam is dan verloren."
    )


class LogContradictsError(BackupError):
    """The log of the back-up is not the beginning of the log that was published."""

    code = "backup_log_contradicts"
    en = (
        "The log in this back-up is not the beginning of the log that {place} has a checkpoint of."
        " One of the two was forged; keep both."
    )
    nl = (
        "Het logboek in deze back-up is niet het begin van het logboek waarvan {place} een"
        " checkpoint heeft. Een van beide is vervalst; bewaar ze allebei."
    )


class NotEmptyError(BackupError):
    """A restore never writes over anything."""

    code = "restore_not_empty"
    en = "{place} is not empty. Restore into a new directory and empty databases."
    nl = "{place} is niet leeg. Herstel in een nieuwe map en lege databases."


class UnfinishedRestoreError(BackupError):
    """A restore into this directory broke off, and nothing else is done with it until it ends."""

    code = "restore_unfinished"
    en = "A restore into {place} is not complete. Run the same `kluis restore` again, or empty it."
    nl = (
        "Een herstel in {place} is niet af. Geef dezelfde `kluis restore` nog eens, of leeg de map."
    )
