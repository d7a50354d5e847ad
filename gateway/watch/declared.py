"""Every rule's declaration by its name, those of the log itself among them."""

from __future__ import annotations

from gateway.watch.logcheck import ABOUT
from gateway.watch.rules import RULES
from gateway.watch.rules.base import About

DECLARED = (*(rule.about for rule in RULES), *ABOUT)
_BY_NAME = {about.name: about for about in DECLARED}


def about(rule: str) -> About:
    """The declaration of a rule. Raises KeyError for a name that there never was."""
    return _BY_NAME[rule]
