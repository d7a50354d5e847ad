"""More of access/sentences.py: the watch over the log, incidents, and what is told of them."""

TEXT = """
alert.list
  List the alerts of the watch.
  De meldingen van de bewaking opsommen.
alert.view
  See an alert, with what was said about it.
  Een melding zien, met wat erover is gezegd.
alert.assign
  Say who looks into an alert.
  Zeggen wie een melding uitzoekt.
alert.comment
  Add a comment to an alert.
  Een opmerking aan een melding toevoegen.
alert.dismiss
  Dismiss an alert, with a reason.
  Een melding afdoen, met een reden.
misuse.report
  Report that somebody read a case of the own practice without a reason.
  Melden dat iemand een casus van de eigen praktijk zonder reden inzag.
incident.open
  Open an incident.
  Een incident openen.
incident.list
  List incidents.
  Incidenten opsommen.
incident.view
  See an incident: its course, its scope, its clocks.
  Een incident zien: verloop, omvang, klokken.
incident.change
  Say who runs an incident and what it means, contain or close it.
  Zeggen wie een incident leidt en wat het betekent, het indammen of sluiten.
incident.note
  Write into the timeline of an incident.
  In de tijdlijn van een incident schrijven.
incident.join
  Join an alert to an incident.
  Een melding bij een incident voegen.
incident.scope
  Compute from the log which cases, files and people are in an incident.
  Uit het logboek berekenen welke casussen, bestanden en mensen bij een incident horen.
incident.measure
  Contain an incident: end sessions or assignments, shut accounts out, freeze cases, rotate keys.
  Een incident indammen: sessies of toewijzingen beëindigen, accounts of casussen blokkeren.
incident.register
  Take the register of all incidents.
  Het register van alle incidenten ophalen.
evidence.add
  Attach evidence to an incident, sealed.
  Bewijs bij een incident voegen, verzegeld.
evidence.take
  Take evidence out of an incident.
  Bewijs uit een incident ophalen.
watch.replay
  Let the watch read the log again, and see what it finds.
  De bewaking het logboek opnieuw laten lezen, en zien wat zij vindt.
canary.make
  Make a case a canary: there is no patient, and whoever opens it is asked why.
  Een casus tot kanarie maken: er is geen patiënt, en wie hem opent wordt gevraagd waarom.
canary.list
  List the canaries.
  De kanaries opsommen.
canary.end
  Let a case be a canary no more.
  Een casus geen kanarie meer laten zijn.
review.list
  See which weeks of the log have been reviewed, and how far.
  Zien welke weken van het logboek zijn beoordeeld, en hoe ver.
review.view
  See what of a week is to be reviewed, and what was said of it.
  Zien wat van een week te beoordelen is, en wat erover is gezegd.
review.judge
  Say what an alert or an access of a week was.
  Zeggen wat een melding of inzage van een week was.
breach_notice.compose
  Write a notice of a breach to the practices that are in an incident.
  Een bericht over een inbreuk schrijven aan de praktijken die in een incident zitten.
breach_notice.send
  Send a notice of a breach to its practice.
  Een bericht over een inbreuk aan zijn praktijk sturen.
breach_notice.list
  List the notices of breaches that one's practice was sent.
  De berichten over inbreuken opsommen die de eigen praktijk kreeg.
breach_notice.view
  Read a notice of a breach.
  Een bericht over een inbreuk lezen.
breach_notice.acknowledge
  Confirm, for the practice, that a notice of a breach was read.
  Namens de praktijk bevestigen dat een bericht over een inbreuk is gelezen.
delivery.list
  List the notices that did not leave.
  De berichten opsommen die niet weg konden.
delivery.retry
  Have a notice that was given up sent again.
  Een opgegeven bericht opnieuw laten versturen.
"""
