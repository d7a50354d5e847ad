"""What each act of the policy is, in one plain sentence, in English and Dutch.

docs/policy.md is written from these and from the table (access/policypage.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.access.policy import Action
from gateway.access.watchsentences import TEXT

_TEXT = """
session.open
  Sign in.
  Zich aanmelden.
session.use
  Use a session, token or page that is not valid: always refused, and logged.
  Een ongeldige sessie, token of pagina gebruiken: altijd geweigerd, en gelogd.
session.view
  See who one is signed in as.
  Zien als wie men is aangemeld.
session.prove
  Having proved one factor, be asked for the second one.
  Na het bewijs van één factor om de tweede gevraagd worden.
session.confirm
  Prove oneself again before what cannot be undone.
  Zich opnieuw bewijzen voor wat niet ongedaan kan worden gemaakt.
session.close
  Sign out.
  Zich afmelden.
session.list
  List the own sessions, with device and place.
  De eigen sessies opsommen, met apparaat en plaats.
session.end
  End an own session; an administrator ends those of others.
  Een eigen sessie beëindigen; een administrator die van anderen.
session.list_all
  List everybody's sessions, or those of the own practice's people.
  Ieders sessies opsommen, of die van de mensen van de eigen praktijk.
session.end_all
  End everybody's sessions but one's own, or those of the own practice's people.
  Ieders sessies beëindigen behalve de eigen, of die van de mensen van de eigen praktijk.
session.stuffing
  Many accounts failed to sign in from one network within an hour.
  Vanaf één netwerk mislukte binnen een uur het aanmelden bij veel accounts.
factor.list
  See one's own second factors.
  De eigen tweede factoren zien.
factor.add
  Begin a second factor of one's own.
  Een eigen tweede factor beginnen.
factor.activate
  Make a second factor count, by its first code.
  Een tweede factor laten gelden, met de eerste code.
factor.remove
  Remove a second factor of one's own.
  Een eigen tweede factor verwijderen.
recovery_codes.renew
  Get new recovery codes in place of the old ones.
  Nieuwe herstelcodes krijgen in plaats van de oude.
password.change
  Change one's own password.
  Het eigen wachtwoord wijzigen.
second.agree
  Agree, as the second person, to an act of somebody else.
  Als tweede persoon instemmen met een handeling van een ander.
case.create
  Begin a case for a patient of the own practice.
  Een casus beginnen voor een patiënt van de eigen praktijk.
case.list
  List cases: a practice its own and whose they are, a planner those assigned, a coordinator all.
  Casussen opsommen: een praktijk eigen en van wie, een planner toegewezen, een coördinator alle.
case.search
  Find the cases of a patient of the own practice.
  De casussen van een patiënt van de eigen praktijk zoeken.
case.view
  See a case: a practice with the patient, a planner with pseudonym and age, others its state.
  Een casus zien: een praktijk met de patiënt, een planner met pseudoniem, anderen de toestand.
case.submit
  Hand a draft in for planning.
  Een concept indienen om te laten plannen.
case.assign
  Give a planner access to a case, from and until a day, or take it away.
  Een planner toegang geven tot een casus, van en tot een dag, of die intrekken.
case.hand_over
  Hand the planning of an assigned case over to a colleague, and lose access to it.
  Het plannen van een toegewezen casus overdragen aan een collega, en zelf de toegang verliezen.
case.complete
  Close the planning of an assigned case.
  Het plannen van een toegewezen casus afronden.
case.erase
  Have a case of the own practice erased for good; the server carries it out.
  Een casus van de eigen praktijk voorgoed laten wissen; de server voert het uit.
case.rectify
  Correct who the patient of a case is; the server carries it out.
  Verbeteren wie de patiënt van een casus is; de server voert het uit.
case.restrict
  Have a case stored and nothing else until a doubt is settled, for a reason.
  Een casus alleen laten bewaren tot een twijfel is opgelost, met een reden.
case.release
  Let the work on a restricted case go on, for a reason.
  Het werk aan een beperkte casus laten doorgaan, met een reden.
emergency.declare
  Open a case to oneself in an emergency: with a reason, for minutes, told to the practice at once.
  Een casus met spoed voor zichzelf openen: met reden, voor minuten; de praktijk hoort het meteen.
emergency.list
  See emergencies: a practice those of its cases, a privacy officer all.
  Noodgevallen zien: een praktijk die van haar casussen, een privacyfunctionaris alle.
emergency.review
  Review an emergency of somebody else.
  Een noodgeval van een ander beoordelen.
assignment.list
  See which planner is assigned to which case, from when and until when.
  Zien welke planner aan welke casus is toegewezen, van wanneer tot wanneer.
assignment.end
  End a planner's assignment, to contain an incident.
  De toewijzing van een planner beëindigen, om een incident in te dammen.
confidentiality.view
  Read the duty of confidentiality, and when one confirmed it.
  De geheimhoudingsplicht lezen, en wanneer men die bevestigde.
confidentiality.confirm
  Confirm the own duty of confidentiality.
  De eigen geheimhoudingsplicht bevestigen.
erasure.view
  See how far an erasure is, and its certificate.
  Zien hoe ver een wissing is, en het certificaat.
erasure.approve
  Agree as the second person to an erasure that waits.
  Als tweede persoon instemmen met een wissing die wacht.
erasure.withdraw
  Take an erasure back that waits.
  Een wissing die wacht intrekken.
file.upload
  Send a scan or photo to a draft of the own practice.
  Een scan of foto sturen naar een concept van de eigen praktijk.
file.view
  See the details and findings of a file.
  De gegevens en bevindingen van een bestand zien.
file.download
  Take out scans, photos and plans.
  Scans, foto's en plannen ophalen.
file.thumbnail
  See the small picture of a file.
  De kleine afbeelding van een bestand zien.
file.place
  Say what a file of a draft shows.
  Aangeven wat een bestand van een concept toont.
file.remove
  Remove a file from a draft.
  Een bestand uit een concept verwijderen.
file.erase
  Have one file erased for good; the server carries it out.
  Eén bestand voorgoed laten wissen; de server voert het uit.
file.inspect
  Check a file that came in.
  Een binnengekomen bestand controleren.
plan.upload
  Send a plan to an assigned case.
  Een plan sturen naar een toegewezen casus.
log.view
  See who did what: a practice of its own, a privacy officer of all; never content.
  Zien wie wat deed: een praktijk het eigene, een privacyfunctionaris alles; nooit inhoud.
controller.add
  Add a practice as a client.
  Een praktijk als klant toevoegen.
controller.list
  List the clients.
  De klanten opsommen.
controller.change
  Set when many erasures of a practice wait for a second person.
  Instellen wanneer veel wissingen van een praktijk op een tweede persoon wachten.
controller.erase
  Have everything of a practice erased, with a privacy officer's agreement.
  Alles van een praktijk laten wissen, met instemming van een privacyfunctionaris.
account.add
  Make an account for another person.
  Een account maken voor een ander.
account.list
  List the accounts that one runs.
  De accounts opsommen die men beheert.
account.change
  Change, disable or enable another person's account; never one's own.
  Het account van een ander wijzigen, blokkeren of vrijgeven; nooit het eigen.
account.link
  Link an account to the person whom a sign-on provider names.
  Een account koppelen aan wie een single-sign-on-dienst noemt.
account.invite
  Send another person an invitation by mail.
  Een ander per mail uitnodigen.
invitation.accept
  Accept an invitation by its link, and choose a password.
  Een uitnodiging aannemen met de link, en een wachtwoord kiezen.
password_reset.ask
  Ask for a link to choose a new password.
  Een link vragen om een nieuw wachtwoord te kiezen.
password_reset.complete
  Choose a new password by that link.
  Met die link een nieuw wachtwoord kiezen.
factor_recovery.ask
  Ask that a colleague's lost second factor is taken off their account.
  Vragen de verloren tweede factor van een collega van diens account te halen.
factor_recovery.list
  See such requests.
  Zulke verzoeken zien.
factor_recovery.agree
  Agree to such a request of somebody else.
  Instemmen met zo'n verzoek van een ander.
factor_recovery.object
  Object to such a request for the own account.
  Bezwaar maken tegen zo'n verzoek voor het eigen account.
factor_recovery.complete
  Take the second factor off once both agreed and the delay is over.
  De tweede factor weghalen als beiden instemden en de wachttijd voorbij is.
profile.view
  See the own account.
  Het eigen account zien.
profile.change
  Correct the own name, phone or language.
  De eigen naam, telefoon of taal verbeteren.
profile.export
  Take along everything that is held about oneself.
  Alles meenemen wat over uzelf wordt bewaard.
profile.close
  Close the own account.
  Het eigen account sluiten.
practice.view
  See the own practice: name, address, rules.
  De eigen praktijk zien: naam, adres, regels.
practice.change
  Change the own practice's name, address or rules.
  Naam, adres of regels van de eigen praktijk wijzigen.
notice.send
  Send a notice by mail or webhook.
  Een bericht per mail of webhook sturen.
token.create
  Make a token for a program.
  Een token maken voor een programma.
token.list
  List the own tokens, never their secrets.
  De eigen tokens opsommen, nooit hun geheimen.
token.revoke
  Revoke a token, at once.
  Een token intrekken, meteen.
service.add
  Make an account for the own practice's software.
  Een account maken voor software van de eigen praktijk.
service.list
  List the accounts of the own practice's software.
  De accounts van de software van de eigen praktijk opsommen.
service.change
  Change or shut out an account of the own practice's software.
  Een account van de software van de eigen praktijk wijzigen of blokkeren.
orphans.sweep
  Remove parts that no row names any more.
  Delen verwijderen die geen rij meer noemt.
integrity.alarm
  Say that something stored was altered.
  Melden dat iets opgeslagens is gewijzigd.
house.start
  Begin to serve.
  Beginnen te werken.
house.stop
  End serving.
  Ophouden te werken.
settings.change
  Begin with other settings.
  Met andere instellingen beginnen.
log.prune
  Delete records of the log after their legal term.
  Regels van het logboek verwijderen na de wettelijke termijn.
backup.write
  Write a back-up, sealed.
  Een verzegelde back-up schrijven.
backup.test
  Try to restore a back-up.
  Proberen een back-up te herstellen.
recovery.change
  Make another recovery key.
  Een andere herstelsleutel maken.
house.restore
  Restore everything from a back-up.
  Alles uit een back-up herstellen.
house.examine
  Hold all that is kept against each other, without opening content.
  Alles wat bewaard wordt tegen elkaar houden, zonder inhoud te openen.
key.list
  List the keys of practices by name and version.
  De sleutels van praktijken opsommen, met naam en versie.
key.rotate
  Replace a key by a new one.
  Een sleutel door een nieuwe vervangen.
"""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One act in plain words."""

    en: str
    nl: str


def _read(text: str) -> dict[Action, Sentence]:
    lines = [line.strip() for line in text.strip().splitlines()]
    return {
        Action(code): Sentence(en, nl)
        for code, en, nl in zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    }


SENTENCES: Mapping[Action, Sentence] = _read(_TEXT) | _read(TEXT)
