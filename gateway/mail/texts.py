"""Every mail, in English and Dutch.

Fixed sentences: what a person typed never stands in them, so nobody can have us send their words.
Values are addresses of our own pages, ids, counts and times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "nl"]
LANGUAGES: tuple[Language, ...] = ("en", "nl")


@dataclass(frozen=True, slots=True)
class Text:
    """One mail in one language."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail in both languages; `{...}` stands for a value."""

    en: Text
    nl: Text

    def __call__(self, language: Language) -> Text:
        """Give the mail in a language."""
        return self.nl if language == "nl" else self.en


INVITATION = Letter(
    Text(
        "Your account for digital cases",
        "Somebody made an account for you, to hand in or plan cases safely.\n"
        "Choose your password here. The link works once, until {until} (UTC):\n\n"
        "{link}\n\n"
        "Did you expect nothing like this? Then leave this message alone.",
    ),
    Text(
        "Uw account voor digitale casussen",
        "Iemand maakte een account voor u, om casussen veilig aan te leveren of te plannen.\n"
        "Kies hier uw wachtwoord. De link werkt één keer, tot {until} (UTC):\n\n"
        "{link}\n\n"
        "Verwachtte u dit niet? Doe dan niets met dit bericht.",
    ),
)
RESET = Letter(
    Text(
        "Choose a new password",
        "Somebody asked for a new password for your account.\n"
        "Choose it here. The link works once, until {until} (UTC):\n\n"
        "{link}\n\n"
        "Was it not you? Then do nothing: your password stays as it is.",
    ),
    Text(
        "Kies een nieuw wachtwoord",
        "Iemand vroeg om een nieuw wachtwoord voor uw account.\n"
        "Kies het hier. De link werkt één keer, tot {until} (UTC):\n\n"
        "{link}\n\n"
        "Was u dat niet? Doe dan niets: uw wachtwoord blijft zoals het is.",
    ),
)
_NOT_YOU = " Was it not you? Then call us, or your practice, at once."
_NIET_U = " Was u dat niet? Bel dan meteen met ons of met uw praktijk."

NOTICES: Mapping[str, Letter] = {
    "password_changed": Letter(
        Text(
            "Your password was changed",
            "Your password was changed at {at} (UTC), and all other sessions were ended."
            + _NOT_YOU,
        ),
        Text(
            "Uw wachtwoord is gewijzigd",
            "Uw wachtwoord is om {at} (UTC) gewijzigd; alle andere sessies zijn beëindigd."
            + _NIET_U,
        ),
    ),
    "factors_changed": Letter(
        Text(
            "Your second factors were changed",
            "A second factor of your account was added or removed at {at} (UTC)." + _NOT_YOU,
        ),
        Text(
            "Uw tweede factoren zijn gewijzigd",
            "Een tweede factor van uw account is om {at} (UTC) toegevoegd of verwijderd." + _NIET_U,
        ),
    ),
    "sign_on_linked": Letter(
        Text(
            "Your account can now be signed on to",
            "At {at} (UTC) your account was linked to the sign-on of your organisation, because"
            " somebody signed on there with your address." + _NOT_YOU,
        ),
        Text(
            "U kunt zich nu met single sign-on aanmelden",
            "Om {at} (UTC) is uw account gekoppeld aan de single sign-on van uw organisatie, omdat"
            " iemand zich daar met uw adres aanmeldde." + _NIET_U,
        ),
    ),
    "factor_recovery_asked": Letter(
        Text(
            "Somebody asked to remove your second factor",
            "At {at} (UTC) somebody said that you lost your second factor, and asked to remove"
            " it.\nNothing changes before another person agrees and a delay has passed."
            "\nIs it not so? Sign in and object, or call us: {link}",
        ),
        Text(
            "Iemand vroeg uw tweede factor te verwijderen",
            "Om {at} (UTC) zei iemand dat u uw tweede factor kwijt bent, en vroeg die te"
            " verwijderen.\nEr verandert niets voordat een ander instemt en een wachttijd om is."
            "\nKlopt dit niet? Meld u aan en maak bezwaar, of bel ons: {link}",
        ),
    ),
    "factor_recovery_agreed": Letter(
        Text(
            "Your second factor will be removed",
            "A second person agreed. Your second factors will be removed at {due} (UTC)."
            "\nIs it not what you want? Sign in and object, or call us: {link}",
        ),
        Text(
            "Uw tweede factor wordt verwijderd",
            "Een tweede persoon stemde in. Uw tweede factoren worden om {due} (UTC) verwijderd."
            "\nWilt u dat niet? Meld u aan en maak bezwaar, of bel ons: {link}",
        ),
    ),
    "factor_recovery_ended": Letter(
        Text(
            "Your second factor stays",
            "The request to remove your second factor was stopped at {at} (UTC).",
        ),
        Text(
            "Uw tweede factor blijft",
            "Het verzoek om uw tweede factor te verwijderen is om {at} (UTC) gestopt.",
        ),
    ),
    "factors_removed": Letter(
        Text(
            "Your second factors were removed",
            "Your second factors were removed at {at} (UTC) and your sessions were ended."
            "\nYou set up a new one when you sign in: {link}",
        ),
        Text(
            "Uw tweede factoren zijn verwijderd",
            "Uw tweede factoren zijn om {at} (UTC) verwijderd en uw sessies beëindigd."
            "\nU stelt een nieuwe in wanneer u zich aanmeldt: {link}",
        ),
    ),
    "email_changed": Letter(
        Text(
            "The e-mail address of your practice was changed",
            "The address to which notices to your practice go was changed at {at} (UTC)."
            + _NOT_YOU,
        ),
        Text(
            "Het e-mailadres van uw praktijk is gewijzigd",
            "Het adres waar berichten aan uw praktijk heen gaan is om {at} (UTC) gewijzigd."
            + _NIET_U,
        ),
    ),
    "account_closed": Letter(
        Text(
            "Your account is closed",
            "Your account was closed at {at} (UTC), and your details were erased." + _NOT_YOU,
        ),
        Text(
            "Uw account is gesloten",
            "Uw account is om {at} (UTC) gesloten en uw gegevens zijn gewist." + _NIET_U,
        ),
    ),
    "emergency_access": Letter(
        Text(
            "Somebody opened a case of your practice in an emergency",
            "At {at} (UTC) somebody at the laboratory who is not assigned to case {case} opened"
            " it, with a reason, until {until} (UTC).\nThe log of the case tells who and why."
            "\nThe privacy officer will review it.",
        ),
        Text(
            "Iemand opende met spoed een casus van uw praktijk",
            "Om {at} (UTC) opende iemand van het laboratorium die niet aan casus {case} is"
            " toegewezen deze casus, met een reden, tot {until} (UTC).\nHet logboek van de casus"
            " zegt wie en waarom.\nDe privacyfunctionaris beoordeelt het.",
        ),
    ),
    "emergency_justified": Letter(
        Text(
            "An emergency was reviewed",
            "At {at} (UTC) the privacy officer found that it was right to open case {case} in an"
            " emergency.\nThe log of the case tells who and why.",
        ),
        Text(
            "Een noodgeval is beoordeeld",
            "Om {at} (UTC) vond de privacyfunctionaris dat casus {case} terecht met spoed is"
            " geopend.\nHet logboek van de casus zegt wie en waarom.",
        ),
    ),
    "emergency_unjustified": Letter(
        Text(
            "A case of your practice was opened without need",
            "At {at} (UTC) the privacy officer found that it was not right to open case {case} in"
            " an emergency.\nThe log of the case tells who and why. We will call you.",
        ),
        Text(
            "Een casus van uw praktijk is zonder noodzaak geopend",
            "Om {at} (UTC) vond de privacyfunctionaris dat casus {case} niet terecht met spoed is"
            " geopend.\nHet logboek van de casus zegt wie en waarom. Wij bellen u.",
        ),
    ),
    "high_alert": Letter(
        Text(
            "The watch found something that cannot wait",
            "At {at} (UTC) the watch over the access log raised an alert of high severity."
            "\nSign in and look, or run `kluis watch alerts`: {link}",
        ),
        Text(
            "De bewaking vond iets dat niet kan wachten",
            "Om {at} (UTC) gaf de bewaking van het toegangslogboek een melding van hoge ernst."
            "\nMeld u aan en kijk, of gebruik `kluis watch alerts`: {link}",
        ),
    ),
    "breach_notice": Letter(
        Text(
            "A notice about the data of your practice",
            "At {at} (UTC) we sent your practice a notice that concerns its data."
            "\nSign in to read it, and to confirm that you did. The law gives you 72 hours from"
            " the moment that you know.\n\n{link}",
        ),
        Text(
            "Een bericht over de gegevens van uw praktijk",
            "Om {at} (UTC) stuurden wij uw praktijk een bericht dat haar gegevens betreft."
            "\nMeld u aan om het te lezen en de ontvangst te bevestigen. De wet geeft u 72 uur"
            " vanaf het moment dat u ervan weet.\n\n{link}",
        ),
    ),
    "digest": Letter(
        Text(
            "What waits for you today",
            "Counted at {at} (UTC):\n"
            "Open alerts of high severity: {high}\n"
            "Other open alerts: {alerts}\n"
            "Incidents that are not closed: {incidents}\n"
            "Messages that could not be delivered: {dead}\n\n"
            "Sign in to look: {link}",
        ),
        Text(
            "Wat er vandaag op u wacht",
            "Geteld om {at} (UTC):\n"
            "Open meldingen van hoge ernst: {high}\n"
            "Andere open meldingen: {alerts}\n"
            "Incidenten die niet zijn gesloten: {incidents}\n"
            "Berichten die niet bezorgd konden worden: {dead}\n\n"
            "Meld u aan om te kijken: {link}",
        ),
    ),
    "new_browser": Letter(
        Text(
            "Somebody signed in to your account from a new browser",
            "At {at} (UTC) somebody signed in to your account from a browser that was not used for"
            " it before.\nYour sessions are listed here, and end here: {link}" + _NOT_YOU,
        ),
        Text(
            "Iemand meldde zich met een nieuwe browser aan bij uw account",
            "Om {at} (UTC) meldde iemand zich bij uw account aan met een browser die daar niet"
            " eerder voor is gebruikt.\nHier ziet en beëindigt u uw sessies: {link}" + _NIET_U,
        ),
    ),
    "many_failed_sign_ins": Letter(
        Text(
            "Many failed attempts to sign in",
            "Until {at} (UTC) somebody tried many times to sign in to your account and failed."
            "\nYou can go on working. Choose a password that you use nowhere else.",
        ),
        Text(
            "Veel mislukte pogingen om aan te melden",
            "Tot {at} (UTC) probeerde iemand vaak en zonder succes in uw account te komen."
            "\nU kunt doorwerken. Kies een wachtwoord dat u nergens anders gebruikt.",
        ),
    ),
}
"""What somebody is told, by the kind of notice. None of it holds a secret."""

PAGES: Mapping[str, str] = {"breach_notice": "notices"}
"""The page that `{link}` leads to, where it is not that of the reader's account."""
