"""What the command says, in English and Dutch. Help texts are English alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "nl"]


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in both languages; `{name}` is a place to fill."""

    en: str
    nl: str

    def say(self, **values: object) -> str:
        """The sentence in the language of this terminal."""
        template = self.nl if language() == "nl" else self.en
        return template.format(**values)


def language() -> Language:
    """The language that the environment asks for, in the order POSIX gives the variables."""
    chosen = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "nl" if next(filter(None, chosen), "").startswith("nl") else "en"


ERROR = Words("Error", "Fout")
FIELD = Words("Field", "Veld")
STOPPED = Words(
    "Stopped. Run the same command again to go on.",
    "Gestopt. Geef dezelfde opdracht nog eens om verder te gaan.",
)

# Refusals of the key room, whose own sentences name paths and not remedies.
KEYS: dict[str, Words] = {
    "recovery_words_refused": Words(
        "These are not the 24 words of a recovery key in their order. Type them again.",
        "Dit zijn niet de 24 woorden van een herstelsleutel in hun volgorde. Typ ze opnieuw.",
    ),
    "keyring_missing": Words(
        "Nothing is set up in this directory. Run `kluis init`, or choose another with --data.",
        "In deze map is niets ingericht. Geef `kluis init`, of kies een andere map met --data.",
    ),
    "keyring_exists": Words(
        "This directory, or its place at the key provider, is set up already. Go on with"
        " `kluis serve`, or choose another.",
        "Deze map, of de plaats ervan bij de sleutelbewaarder, is al ingericht. Ga verder met"
        " `kluis serve`, of kies een andere.",
    ),
    "passphrase_refused": Words(
        "The passphrase does not open the keyring. Check KLUIS_PASSPHRASE or its file.",
        "De wachtzin opent de sleutelbos niet. Controleer KLUIS_PASSPHRASE of het bestand.",
    ),
}

# The operator's commands.
OFFICER = Words("E-mail address of the privacy officer", "E-mailadres van de privacyfunctionaris")
SET_UP = Words(
    "Everything is set up in {data}.\nPublic key of the access log (publish it): {key}\n"
    "First privacy officer: {officer}\n\nNext:\n"
    "  kluis client add NAME --email E --data {data}\n"
    "  kluis user add EMAIL --role dentist --client ID --password-stdin --data {data}\n"
    "  kluis serve --data {data}",
    "Alles is ingericht in {data}.\nPublieke sleutel van het logboek (maak hem bekend): {key}\n"
    "Eerste privacyfunctionaris: {officer}\n\nHierna:\n"
    "  kluis client add NAAM --email E --data {data}\n"
    "  kluis user add EMAIL --role dentist --client ID --password-stdin --data {data}\n"
    "  kluis serve --data {data}",
)
RECOVERY = Words(
    "The recovery key opens your back-ups, and this is the only time that it is shown.\n"
    "Write its 24 words on paper, in this order, and keep them apart from this machine:",
    "De herstelsleutel opent uw back-ups en wordt alleen nu getoond.\n"
    "Schrijf de 24 woorden in deze volgorde op papier en bewaar ze niet bij deze machine:",
)
LISTENING = Words("Listening on {address}", "Luistert op {address}")
CLIENT_ADDED = Words("Client {id} added.", "Klant {id} toegevoegd.")
CLIENT_CHANGED = Words(
    "Client {id}: erasures of {erasure_second_from} cases or more within a day wait for a second"
    " person (0: never), at most {erasure_delay_hours} hours (0: until approved).",
    "Klant {id}: wissen van {erasure_second_from} casussen of meer binnen een dag wacht op een"
    " tweede persoon (0: nooit), hoogstens {erasure_delay_hours} uur (0: tot instemming).",
)
CLIENT_ERASED = Words(
    "Everything of client {client} is erased. {certificates} certificates lie in {directory}: give"
    " them to the client.",
    "Alles van klant {client} is gewist. Er liggen {certificates} certificaten in {directory}: geef"
    " ze aan de klant.",
)
CONFIRM_CLIENT = Words(
    "This cannot be undone: give --confirm with the id of the client.",
    "Dit kan niet ongedaan worden gemaakt: geef --confirm met het nummer van de klant.",
)
USER_DISABLED = Words(
    "{email} is shut out: no session, token or upload of theirs works any more.",
    "{email} is buitengesloten: geen sessie, token of upload van hen werkt nog.",
)
TOKENS_REVOKED = Words(
    "Tokens of {email} revoked: {count}.", "Ingetrokken tokens van {email}: {count}."
)
USER_UNLINKED = Words(
    "{email}: forgotten who the sign-on provider says it is ({count}).",
    "{email}: vergeten wie de single-sign-on-dienst zegt dat het is ({count}).",
)
USER_ADDED = Words("User {id} added.", "Gebruiker {id} toegevoegd.")
USER_INVITED = Words(
    "User {id} added, and invited by mail.", "Gebruiker {id} toegevoegd en per mail uitgenodigd."
)
NOT_INVITED = Words(
    "User {id} added, but the mail did not leave: see docs/people.md, then invite again.",
    "Gebruiker {id} toegevoegd, maar de mail is niet verzonden: zie docs/people.md, nodig dan"
    " opnieuw uit.",
)
ONE_OF_TWO = Words(
    "Choose one of --invite and --password-stdin.", "Kies één van --invite en --password-stdin."
)
NO_PASSWORD = Words(
    "The first line of stdin is empty: put the password there.",
    "De eerste regel van stdin is leeg: zet daar het wachtwoord.",
)
PASSWORD_SET = Words("Password of {email} set.", "Wachtwoord van {email} ingesteld.")
TOKEN_CREATED = Words(
    "{token}\nIt is shown this once. Whoever has it acts as {email}; keep it in KLUIS_TOKEN.",
    "{token}\nDit wordt eenmaal getoond. Wie het heeft handelt als {email}; bewaar het in"
    " KLUIS_TOKEN.",
)
SWEPT = Words(
    "Removed: {expired_uploads} expired uploads, {orphan_blobs} orphan blobs,"
    " {orphan_keys} orphan keys, {unfinished_blobs} unfinished blobs, {unfinished_files} unfinished"
    " files.",
    "Verwijderd: {expired_uploads} verlopen uploads, {orphan_blobs} losse blobs,"
    " {orphan_keys} losse sleutels, {unfinished_blobs} onvoltooide blobs, {unfinished_files}"
    " onvoltooide bestanden.",
)
INVENTORY = Words("inventory", "inventaris")
LOG_PRUNED = Words(
    "Deleted {pruned} records whose legal term ended.",
    "{pruned} regels verwijderd waarvan de wettelijke termijn is verstreken.",
)
LOG_WHOLE = Words(
    "The access log is whole: {size} entries, root {root}. {pending} events wait for their place.",
    "Het logboek is heel: {size} regels, wortel {root}. {pending} gebeurtenissen wachten op hun"
    " plaats.",
)
LOG_BROKEN = Words(
    "The access log is NOT whole. First wrong index: {index}. {problem}",
    "Het logboek is NIET heel. Eerste foute index: {index}. {problem}",
)

# Cases.
NOT_AN_ID = Words(
    "This is not the id of a case. `kluis case list` shows them.",
    "Dit is geen nummer van een casus. `kluis case list` toont ze.",
)
NOT_A_FILE_ID = Words(
    "This is not the id of a file. `kluis case show` shows them.",
    "Dit is geen nummer van een bestand. `kluis case show` toont ze.",
)
CASE_CREATED = Words(
    "Case {id} created; the patient's pseudonym is {pseudonym}.",
    "Casus {id} aangemaakt; het pseudoniem van de patiënt is {pseudonym}.",
)
CASE_ASSIGNED = Words("Case {id} assigned to {email}.", "Casus {id} toegewezen aan {email}.")
CASE_STATE = Words("Case {id} is now: {state}.", "Casus {id} is nu: {state}.")
FILE_PLACED = Words("{file} is now: {slot}.", "{file} is nu: {slot}.")
MISSING = Words(
    "Usual for this treatment, and not there: {places}.",
    "Gebruikelijk bij deze behandeling, en er niet bij: {places}.",
)
KINDS: dict[str, Words] = {
    "scan": Words("scan", "scan"),
    "photo": Words("photo", "foto"),
    "plan": Words("plan", "plan"),
}

# Transfer.
SENDING = Words("{name}: sending {size}", "{name}: {size} versturen")
CHECKING = Words("{name}: sent, being checked", "{name}: verstuurd, wordt gecontroleerd")
ACCEPTED = Words("{name}: accepted. {report}", "{name}: aanvaard. {report}")
REFUSED = Words("{name}: REFUSED. {problem}", "{name}: GEWEIGERD. {problem}")
SCAN_REPORT = Words(
    "{triangles} triangles, {x:.1f} x {y:.1f} x {z:.1f} mm.",
    "{triangles} driehoeken, {x:.1f} x {y:.1f} x {z:.1f} mm.",
)
PHOTO_REPORT = Words(
    "{width} x {height} pixels; removed: {removed}.",
    "{width} x {height} beeldpunten; verwijderd: {removed}.",
)
NOTHING = Words("nothing", "niets")
DOCUMENT_REPORT = Words("A document; it was not opened.", "Een document; het is niet geopend.")
TAKEN_FOR = Words(
    "Taken for: {slot}. `kluis case place` corrects it.",
    "Opgevat als: {slot}. `kluis case place` verbetert dit.",
)
ONE_FILE_A_SLOT = Words(
    "A slot is of one file: send the others apart, or let their names tell.",
    "Een plaats is voor één bestand: stuur de andere apart, of laat hun namen het zeggen.",
)
SEVERITIES: dict[str, Words] = {
    "warning": Words("look", "let op"),
    "note": Words("note", "opmerking"),
    "refused": Words("refused", "geweigerd"),
}
SAVED = Words("{path} ({size})", "{path} ({size})")

# Erasure.
TYPE_CASE = Words(
    "This cannot be undone. Type the id of the case to erase it",
    "Dit kan niet ongedaan worden gemaakt. Typ het nummer van de casus om te wissen",
)
ERASING = Words("Erasure: {step}", "Wissen: {step}")
ERASED = Words("Erased. The certificate:", "Gewist. Het certificaat:")
ERASURE_WAITS = Words(
    "So many at once wait until {until}, or until another dentist of the practice agrees:\n"
    "  kluis erasure approve {request}\nUntil then: kluis erasure withdraw {request}",
    "Zoveel tegelijk wacht tot {until}, of tot een andere tandarts van de praktijk instemt:\n"
    "  kluis erasure approve {request}\nTot dan: kluis erasure withdraw {request}",
)
ERASURE_WAITS_FOR_EVER = Words(
    "So many at once wait until another dentist of the practice agrees:\n"
    "  kluis erasure approve {request}\nUntil then: kluis erasure withdraw {request}",
    "Zoveel tegelijk wacht tot een andere tandarts van de praktijk instemt:\n"
    "  kluis erasure approve {request}\nTot dan: kluis erasure withdraw {request}",
)
ERASURE_APPROVED = Words(
    "Agreed: {count} cases are being erased.", "Ingestemd: {count} casussen worden gewist."
)
ERASURE_WITHDRAWN = Words("Request {request} withdrawn.", "Verzoek {request} ingetrokken.")
PATIENT_CORRECTED = Words(
    "Corrected. What stood there is being erased; certificate: kluis erasure show {request}",
    "Verbeterd. Wat er stond wordt gewist; certificaat: kluis erasure show {request}",
)
NOT_A_REQUEST = Words(
    "This is not the id of a request. `kluis erasure list` shows them.",
    "Dit is geen nummer van een verzoek. `kluis erasure list` toont ze.",
)

# The demo.
DEMO_WORDS = Words(
    "The recovery key of the demo is in {path}; a real one is shown once, to be kept on paper.",
    "De herstelsleutel van de demo staat in {path}; een echte ziet u eenmaal, voor op papier.",
)
DEMO_SETTING_UP = Words("Setting up a demo in {data} ...", "Een demo wordt ingericht in {data} ...")
DEMO_RUNS = Words(
    "\nKluis runs.\n\n  server       {address}\n  description  {address}/api/v1/openapi.json\n"
    "  directory    {data}\n\n"
    "Passphrase, passwords and tokens lie readable in that directory: put no real patient here.\n",
    "\nKluis draait.\n\n  server        {address}\n  beschrijving  {address}/api/v1/openapi.json\n"
    "  map           {data}\n\n"
    "Wachtzin, wachtwoorden en tokens liggen leesbaar in die map: gebruik geen echte patiënt.\n",
)
DEMO_TRY = Words(
    "Three things to try, in another terminal in this directory:\n\n"
    "  export KLUIS_SERVER={server}\n\n"
    "1. The planner takes the case out. The files come under a pseudonym:\n"
    "  KLUIS_TOKEN={planner} {kluis} download {case} --to ./planner\n\n"
    "2. The dentist looks who touched the case:\n"
    "  KLUIS_TOKEN={dentist} {kluis} log show {case}\n\n"
    "3. The dentist erases the case, and gets a signed certificate:\n"
    "  KLUIS_TOKEN={dentist} {kluis} erase {case} --reason 'a try' --confirm {case}\n\n"
    "Ctrl-C stops Kluis; the same command goes on with the same cases.",
    "Drie dingen om te proberen, in een ander venster in deze map:\n\n"
    "  export KLUIS_SERVER={server}\n\n"
    "1. De planner haalt de casus op. De bestanden staan onder een pseudoniem:\n"
    "  KLUIS_TOKEN={planner} {kluis} download {case} --to ./planner\n\n"
    "2. De tandarts kijkt wie aan de casus heeft gezeten:\n"
    "  KLUIS_TOKEN={dentist} {kluis} log show {case}\n\n"
    "3. De tandarts wist de casus, en krijgt een ondertekend certificaat:\n"
    "  KLUIS_TOKEN={dentist} {kluis} erase {case} --reason 'proef' --confirm {case}\n\n"
    "Ctrl-C stopt Kluis; dezelfde opdracht gaat verder met dezelfde casussen.",
)
DEMO_ERASED = Words(
    "The sample case was erased; its log is still there. For a new one, stop with Ctrl-C and"
    " remove {data}.",
    "De voorbeeldcasus is gewist; het logboek is er nog. Voor een nieuwe: stop met Ctrl-C en"
    " verwijder {data}.",
)
DEMO_ENDED = Words(
    "Stopped. Everything is kept in {data}.", "Gestopt. Alles blijft bewaard in {data}."
)
