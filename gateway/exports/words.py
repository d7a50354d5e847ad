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
    "practice_manager": Said("manager of the practice", "beheerder van de praktijk"),
    "service": Said("software of the practice", "software van de praktijk"),
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
    "session.prove": Said(
        "gave the right password and was asked for a code",
        "gaf het juiste wachtwoord en werd om een code gevraagd",
    ),
    "session.confirm": Said("repeated password or code", "herhaalde wachtwoord of code"),
    "session.close": Said("signed out", "meldde zich af"),
    "session.list": Said("looked at the own sessions", "bekeek de eigen sessies"),
    "session.end": Said("ended sessions", "beëindigde sessies"),
    "session.list_all": Said("looked at everybody's sessions", "bekeek ieders sessies"),
    "session.end_all": Said("ended everybody's sessions", "beëindigde ieders sessies"),
    "session.stuffing": Said(
        "many accounts failed to sign in from one network",
        "bij veel accounts mislukte het aanmelden vanaf één netwerk",
    ),
    "factor.list": Said("looked at the own second factors", "bekeek de eigen tweede factoren"),
    "factor.add": Said("began a second factor", "begon een tweede factor"),
    "factor.activate": Said("set up a second factor", "stelde een tweede factor in"),
    "factor.remove": Said("removed a second factor", "verwijderde een tweede factor"),
    "recovery_codes.renew": Said("got new recovery codes", "kreeg nieuwe herstelcodes"),
    "password.change": Said("changed the own password", "wijzigde het eigen wachtwoord"),
    "second.agree": Said("agreed as the second person", "stemde in als tweede persoon"),
    "case.create": Said("made the case", "maakte de casus"),
    "case.list": Said("saw the case in a list", "zag de casus in een lijst"),
    "case.search": Said("found the case by a search", "vond de casus met een zoekopdracht"),
    "case.view": Said("looked at the case", "bekeek de casus"),
    "case.submit": Said("handed the case in", "diende de casus in"),
    "case.assign": Said("changed who plans the case", "wijzigde wie de casus plant"),
    "case.hand_over": Said(
        "handed the planning over to a colleague", "droeg het plannen over aan een collega"
    ),
    "assignment.list": Said("saw who plans the case", "zag wie de casus plant"),
    "case.restrict": Said("had the case restricted", "liet de casus beperken"),
    "case.release": Said("released the case again", "gaf de casus weer vrij"),
    "incident.open": Said("opened an incident", "opende een incident"),
    "incident.list": Said("listed the incidents", "somde de incidenten op"),
    "incident.view": Said("looked at an incident", "bekeek een incident"),
    "incident.change": Said("changed an incident", "wijzigde een incident"),
    "incident.note": Said("wrote about an incident", "schreef over een incident"),
    "incident.join": Said("joined an alert to an incident", "voegde een melding bij een incident"),
    "incident.scope": Said(
        "searched the log for what belongs to an incident",
        "zocht in het logboek wat bij een incident hoort",
    ),
    "incident.measure": Said(
        "decided on a measure against an incident", "besloot tot een maatregel tegen een incident"
    ),
    "incident.register": Said(
        "took the register of incidents", "haalde het register van incidenten op"
    ),
    "evidence.add": Said("attached evidence to an incident", "voegde bewijs bij een incident"),
    "evidence.take": Said("took evidence of an incident", "haalde bewijs van een incident op"),
    "assignment.end": Said(
        "ended an assignment because of an incident",
        "beëindigde een toewijzing vanwege een incident",
    ),
    "alert.list": Said("listed the alerts of the watch", "somde de meldingen van de bewaking op"),
    "alert.view": Said("looked at an alert of the watch", "bekeek een melding van de bewaking"),
    "alert.assign": Said("said who looks into an alert", "wees een melding toe"),
    "alert.comment": Said("commented on an alert", "maakte een opmerking bij een melding"),
    "alert.dismiss": Said("dismissed an alert, with a reason", "deed een melding met reden af"),
    "misuse.report": Said(
        "reported that somebody read the case without a reason",
        "meldde dat iemand de casus zonder reden inzag",
    ),
    "watch.replay": Said(
        "let the watch read the log again", "liet de bewaking het logboek opnieuw lezen"
    ),
    "canary.make": Said("made a case a canary", "maakte een casus tot kanarie"),
    "canary.list": Said("listed the canaries", "somde de kanaries op"),
    "canary.end": Said("ended a canary", "beëindigde een kanarie"),
    "review.list": Said("looked at the weekly reviews", "bekeek de wekelijkse beoordelingen"),
    "review.view": Said("looked at a week's review", "bekeek de beoordeling van een week"),
    "review.judge": Said("gave a verdict in a week's review", "gaf een oordeel over een week"),
    "emergency.declare": Said(
        "opened the case in an emergency, without being assigned",
        "opende de casus met spoed, zonder toewijzing",
    ),
    "emergency.list": Said("looked at the emergencies", "bekeek de noodgevallen"),
    "emergency.review": Said("reviewed an emergency", "beoordeelde een noodgeval"),
    "confidentiality.view": Said("read the duty of confidentiality", "las de geheimhoudingsplicht"),
    "confidentiality.confirm": Said(
        "confirmed the duty of confidentiality", "bevestigde de geheimhoudingsplicht"
    ),
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
    "account.link": Said(
        "linked a user to the sign-on of an organisation",
        "koppelde een gebruiker aan de single sign-on van een organisatie",
    ),
    "account.change": Said("changed a user", "wijzigde een gebruiker"),
    "account.invite": Said("invited a user again", "nodigde een gebruiker opnieuw uit"),
    "invitation.accept": Said("accepted an invitation", "nam een uitnodiging aan"),
    "password_reset.ask": Said("asked for a new password", "vroeg om een nieuw wachtwoord"),
    "password_reset.complete": Said("chose a new password", "koos een nieuw wachtwoord"),
    "factor_recovery.ask": Said(
        "asked to remove a user's lost second factor",
        "vroeg om de verloren tweede factor van een gebruiker te verwijderen",
    ),
    "factor_recovery.list": Said(
        "looked at the requests for lost second factors",
        "bekeek de verzoeken om verloren tweede factoren",
    ),
    "factor_recovery.agree": Said(
        "agreed to remove a lost second factor", "stemde in met verwijderen van een tweede factor"
    ),
    "factor_recovery.object": Said(
        "objected to the removal of a second factor",
        "maakte bezwaar tegen verwijderen van een tweede factor",
    ),
    "factor_recovery.complete": Said(
        "removed a lost second factor", "verwijderde een verloren tweede factor"
    ),
    "profile.view": Said("looked at the own account", "bekeek het eigen account"),
    "profile.change": Said("changed the own account", "wijzigde het eigen account"),
    "profile.export": Said(
        "took out all that is held about the own account",
        "haalde alles op wat over het eigen account bewaard wordt",
    ),
    "profile.close": Said("closed the own account", "sloot het eigen account"),
    "practice.view": Said("looked at the practice's details", "bekeek de praktijkgegevens"),
    "practice.change": Said("changed the practice's details", "wijzigde de praktijkgegevens"),
    "notice.send": Said("sent a notice", "stuurde een bericht"),
    "breach_notice.compose": Said(
        "wrote a notice of a breach", "schreef een bericht over een inbreuk"
    ),
    "breach_notice.send": Said("sent a notice of a breach", "stuurde een bericht over een inbreuk"),
    "breach_notice.list": Said(
        "listed notices of breaches", "bekeek de lijst met berichten over inbreuken"
    ),
    "breach_notice.view": Said("read a notice of a breach", "las een bericht over een inbreuk"),
    "breach_notice.acknowledge": Said(
        "confirmed to have read a notice of a breach",
        "bevestigde een bericht over een inbreuk te hebben gelezen",
    ),
    "delivery.list": Said("looked at what did not leave", "bekeek wat niet weg kon"),
    "delivery.retry": Said("had a notice sent again", "liet een bericht opnieuw versturen"),
    "token.create": Said("made a token for a program", "maakte een token voor een programma"),
    "token.list": Said("looked at the own tokens", "bekeek de eigen tokens"),
    "token.revoke": Said("withdrew a token", "trok een token in"),
    "service.add": Said("added software of the practice", "voegde software van de praktijk toe"),
    "service.list": Said(
        "looked at the software of the practice", "bekeek de software van de praktijk"
    ),
    "service.change": Said(
        "changed the access of software of the practice",
        "wijzigde de toegang van software van de praktijk",
    ),
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
    "emergency": Said(
        "declared an emergency, without being assigned",
        "riep een noodgeval uit, zonder toewijzing",
    ),
    "supervisor": Said("hands out the work on the case", "verdeelt het werk aan de casus"),
    "own_account": Said("it is the own account", "het is het eigen account"),
    "assignment": Said("was assigned to this treatment", "was toegewezen aan deze behandeling"),
    "role": Said("belongs to the role", "hoort bij de functie"),
    "system": Said("a task of the server", "een taak van de server"),
    "none": Said("no ground: not allowed", "geen grond: niet toegestaan"),
}


def who(event: AccessEvent, email: str | None, language: Language) -> str:
    """Give the role of who acted, and the address or id."""
    return f"{title(event, language)}: {email or event.actor_id}"


def title(event: AccessEvent, language: Language) -> str:
    """Give the role of who acted."""
    known = ROLES.get(event.actor_role)
    return known(language) if known else event.actor_role


def what(event: AccessEvent, language: Language) -> str:
    """Give the act, with the id of its object where that is not the case itself."""
    said = act(event, language)
    return said if event.object_type in {None, "case"} else f"{said} ({event.object_id})"


def act(event: AccessEvent, language: Language) -> str:
    """Give the act alone."""
    known = ACTS.get(event.code)
    return known(language) if known else event.code


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
