"""The words of the readable page, in English and Dutch: for somebody who asks who saw their file.

No term of ours stands in them that a patient would have to look up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from storage.accesslog.event import AccessEvent

Language = Literal["en", "nl"]


@dataclass(frozen=True, slots=True)
class Said:
    """One phrase in both languages."""

    en: str
    nl: str

    def __call__(self, language: Language) -> str:
        """Give the phrase in a language."""
        return self.nl if language == "nl" else self.en


TITLE = Said("Who used this file, when, and why", "Wie dit dossier gebruikte, wanneer en waarom")
EXPLANATION = Said(
    "Every use of the file is written down before it happens, refused attempts too. Each line has"
    " a place in a log that anyone can check and nobody can change unseen.",
    "Elk gebruik van het dossier wordt vastgelegd voordat het gebeurt, ook een geweigerde poging."
    " Elke regel heeft een plaats in een logboek dat iedereen kan controleren en dat niemand"
    " ongemerkt kan wijzigen.",
)
QUESTIONS = Said(
    "Questions about a line? Ask the practice that treats you; it can see who each person is.",
    "Vragen over een regel? Stel ze aan de praktijk die u behandelt; die kan zien wie elke"
    " persoon is.",
)
SUBJECT, PERIOD = Said("About", "Over"), Said("Period", "Periode")
MADE_AT, ORIGIN = Said("Made at", "Gemaakt op"), Said("Log", "Logboek")
WHEN, WHO, WHAT = Said("When", "Wanneer"), Said("Who", "Wie"), Said("What", "Wat")
WHY, RESULT = Said("Why", "Waarom"), Said("Result", "Uitkomst")
PLACE = Said("Place in the log", "Plaats in het logboek")
NONE = Said("Nobody used it in this period.", "Niemand gebruikte het in deze periode.")
WHOLE_LOG = Said("Everything of the practice", "Alles van de praktijk")
CASE = Said("Case {id}", "Casus {id}")
ALWAYS = Said("from the beginning until now", "van het begin tot nu")
FROM = Said("from {first} until now", "van {first} tot nu")
UNTIL = Said("from the beginning to {last} included", "van het begin tot en met {last}")
BETWEEN = Said("from {first} to {last} included", "van {first} tot en met {last}")

ALLOWED = Said("allowed", "toegestaan")
REFUSED = Said("REFUSED ({reason})", "GEWEIGERD ({reason})")
DONE = Said("done", "gedaan")
BROKEN_OFF = Said("broken off", "afgebroken")
BYTES = Said("{count} bytes", "{count} bytes")

ROLES: Mapping[str, Said] = {
    "dentist": Said("dentist", "tandarts"),
    "coordinator": Said("coordinator at the laboratory", "coördinator bij het laboratorium"),
    "planner": Said("planner at the laboratory", "planner bij het laboratorium"),
    "privacy_officer": Said("privacy officer", "privacyfunctionaris"),
    "administrator": Said("administrator", "beheerder van gebruikers"),
    "operator": Said("operator of the server", "beheerder van de server"),
    "system": Said("the server by itself", "de server zelf"),
    "nobody": Said("somebody who had not signed in", "iemand die niet was aangemeld"),
}

ACTS: Mapping[str, Said] = {
    "session.open": Said("signed in", "meldde zich aan"),
    "session.use": Said("used a session that had ended", "gebruikte een verlopen sessie"),
    "session.view": Said("looked at the own session", "bekeek de eigen sessie"),
    "session.confirm": Said("repeated the password", "herhaalde het wachtwoord"),
    "session.close": Said("signed out", "meldde zich af"),
    "second.agree": Said("agreed as the second person", "stemde in als tweede persoon"),
    "case.create": Said("made the case", "maakte de casus"),
    "case.list": Said("saw the case in a list", "zag de casus in een lijst"),
    "case.search": Said("found the case by a search", "vond de casus met een zoekopdracht"),
    "case.view": Said("looked at the case", "bekeek de casus"),
    "case.submit": Said("handed the case in", "diende de casus in"),
    "case.assign": Said("changed who plans the case", "wijzigde wie de casus plant"),
    "case.complete": Said("completed the case", "rondde de casus af"),
    "case.erase": Said("had the case erased", "liet de casus wissen"),
    "case.rectify": Said("corrected who the patient is", "verbeterde wie de patiënt is"),
    "erasure.approve": Said(
        "agreed to an erasure as the second person", "stemde als tweede persoon in met wissen"
    ),
    "erasure.withdraw": Said("took back an erasure that waited", "trok een wachtende wissing in"),
    "erasure.view": Said("looked at the proof of erasure", "bekeek het bewijs van wissen"),
    "file.upload": Said("sent a file", "stuurde een bestand"),
    "file.view": Said("looked at the details of a file", "bekeek de gegevens van een bestand"),
    "file.download": Said("took out a file", "haalde een bestand op"),
    "file.thumbnail": Said(
        "looked at a small picture of a file", "bekeek een kleine afbeelding van een bestand"
    ),
    "file.place": Said("said what a file shows", "gaf aan wat een bestand toont"),
    "file.remove": Said("removed a file", "verwijderde een bestand"),
    "file.erase": Said("had a file erased", "liet een bestand wissen"),
    "file.inspect": Said("checked a file", "controleerde een bestand"),
    "plan.upload": Said("sent a plan", "stuurde een plan"),
    "log.view": Said("looked at this log", "bekeek dit logboek"),
    "controller.add": Said("added a practice", "voegde een praktijk toe"),
    "controller.list": Said("listed the practices", "bekeek de lijst van praktijken"),
    "controller.change": Said(
        "changed the settings of the practice", "wijzigde de instellingen van de praktijk"
    ),
    "controller.erase": Said(
        "had everything of the practice erased", "liet alles van de praktijk wissen"
    ),
    "account.add": Said("added a user", "voegde een gebruiker toe"),
    "account.list": Said("listed the users", "bekeek de lijst van gebruikers"),
    "account.change": Said("changed a user", "wijzigde een gebruiker"),
    "token.create": Said("made a token for a program", "maakte een token voor een programma"),
    "orphans.sweep": Said("removed left-over parts", "ruimde achtergebleven delen op"),
    "house.start": Said("started", "startte"),
    "house.stop": Said("stopped", "stopte"),
    "settings.change": Said("began with other settings", "begon met andere instellingen"),
    "key.list": Said("listed the keys of the practices", "bekeek de sleutels van de praktijken"),
    "key.rotate": Said("replaced a key by a new one", "verving een sleutel door een nieuwe"),
    "house.examine": Said("examined all that is kept", "onderzocht alles wat bewaard wordt"),
    "backup.write": Said("wrote a back-up", "schreef een back-up"),
    "backup.test": Said("tried to restore a back-up", "probeerde een back-up te herstellen"),
    "recovery.change": Said("made another recovery key", "maakte een andere herstelsleutel"),
    "house.restore": Said("restored all from a back-up", "herstelde alles uit een back-up"),
    "log.prune": Said("removed lines after the legal term", "verwijderde regels na de termijn"),
    "integrity.alarm": Said(
        "found stored data changed and blocked it",
        "vond gewijzigde opgeslagen gegevens en blokkeerde ze",
    ),
}

_GROUNDS: Mapping[str, Said] = {
    "own_practice": Said(
        "works at the practice that treats the patient",
        "werkt bij de praktijk die de patiënt behandelt",
    ),
    "own_assignments": Said("plans cases of this list", "plant casussen van deze lijst"),
    "assignment": Said("was assigned to this treatment", "was toegewezen aan deze behandeling"),
    "role": Said("belongs to the role", "hoort bij de functie"),
    "system": Said("a task of the server", "een taak van de server"),
    "none": Said("no ground: not allowed", "geen grond: niet toegestaan"),
}


def who(event: AccessEvent, email: str | None, language: Language) -> str:
    """Give the role of who acted, and the address or id."""
    known = ROLES.get(event.actor_role)
    role = known(language) if known else event.actor_role
    return f"{role}: {email or event.actor_id}"


def what(event: AccessEvent, language: Language) -> str:
    """Give the act, with the id of its object where that is not the case itself."""
    known = ACTS.get(event.code)
    act = known(language) if known else event.code
    return act if event.object_type in {None, "case"} else f"{act} ({event.object_id})"


def why(event: AccessEvent, language: Language) -> str:
    """Give the ground: why it was allowed."""
    known = _GROUNDS.get(event.ground.partition(":")[0])
    return known(language) if known else event.ground


def result(event: AccessEvent, language: Language) -> str:
    """Give what became of it."""
    if event.stage == "refused" or "refusal" in event.detail:
        return REFUSED(language).format(reason=event.detail.get("refusal", event.code))
    if event.stage == "authorised":
        return ALLOWED(language)
    ended = BROKEN_OFF if event.detail.get("ended") is False else DONE
    sent = event.detail.get("bytes")
    count = "" if sent is None else f", {BYTES(language).format(count=sent)}"
    return f"{ended(language)}{count}"
