"""Every rule of the watch, in the order in which their alerts are given."""

from __future__ import annotations

from gateway.watch.rules.base import Rule
from gateway.watch.rules.emergencies import Emergency, EmergencyUnreviewed
from gateway.watch.rules.granting import SelfGrant
from gateway.watch.rules.house import Canary, Erasures, MisuseReport, PrivilegedCopy
from gateway.watch.rules.logging import LogGap, Tamper
from gateway.watch.rules.places import OutOfHours, StrangePlace
from gateway.watch.rules.reading import DrawnToCase, NoRelation
from gateway.watch.rules.refusals import Enumeration, RefusedBurst
from gateway.watch.rules.searching import SearchOracle
from gateway.watch.rules.shutout import EndedAssignment, ShutOutUse
from gateway.watch.rules.signing_in import GuessedSignIn, Stuffing
from gateway.watch.rules.taking import BulkDownload, SlowExfiltration

RULES: tuple[type[Rule], ...] = (
    *(Tamper, LogGap),
    *(GuessedSignIn, Stuffing),
    *(Enumeration, RefusedBurst),
    *(ShutOutUse, EndedAssignment),
    SelfGrant,
    SearchOracle,
    *(BulkDownload, SlowExfiltration),
    *(StrangePlace, OutOfHours),
    *(Emergency, EmergencyUnreviewed),
    *(NoRelation, DrawnToCase),
    *(Canary, Erasures, PrivilegedCopy, MisuseReport),
)

INSTANT: tuple[type[Rule], ...] = (
    *(Tamper, LogGap),
    *(GuessedSignIn, Stuffing),
    *(Enumeration, RefusedBurst, ShutOutUse),
    *(SelfGrant, SearchOracle),
    *(Emergency, Canary, PrivilegedCopy, MisuseReport),
)
"""Those that speak of minutes, not of habits: they watch at once where the past is not read yet."""
