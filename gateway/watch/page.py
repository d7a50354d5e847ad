"""docs/watch.md, written from the rules: what each sees, why, from what number on, what to do.

`python -m gateway.watch.page > docs/watch.md` writes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from gateway.watch.declared import DECLARED
from gateway.watch.rules.base import About, Words
from gateway.watch.thresholds import Thresholds, meanings

_HEAD = """\
# The watch

Written by `python -m gateway.watch.page` from the rules; a test compares them.

The watch reads the access log as it grows, and tells people what they should look at.
A rule is a function of the events in the order of the log: the same events give the same alerts.
It reads no clock but the events' own, no row and no content; an alert names accounts, cases, practices and addresses by id, and numbers.
What is found again of the same subject within a rule's window is one alert; it is said again when its severity rises and whenever its count has doubled.

- `notice`: for the weekly review.
- `warning`: look at it within a day.
- `high`: look at it now.

What somebody has to do with a case is taken from the log alone: work on it of one's own explains every read.
Work on it by anybody in the last days, that whoever worked on it is away, or that it was just searched for or listed may explain one, but no number of them.
Planners read what they were assigned, so being there explains their reads.

## What it does not see

- Curiosity of whoever looks patients up most days: who answers the telephone reads one case more. The search is in the log, and a practice sees it in its own view.
- One or two looks at cases of others, by anybody.
- A planner who reads the cases that they were assigned, for another reason than work, below the number of a bulk download.
- A manager who takes no more cases in an hour than on the busiest day of the last five weeks; over weeks such cases count.
- Somebody at the usual place with the usual habits of the person whose session they have.
- What was done with a database or a disk past the server, unless a key was opened or a record altered: see `tamper` and `log_altered`.
- An event that is taken out of the log is seen when the next one comes.
- Habits take five weeks: before that, numbers alone decide, and rules that compare with habits say less.
"""  # noqa: E501 - one sentence a line


def document() -> str:
    """Give docs/watch.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Rules"
    yield ""
    yield "| rule | says | folds within |"
    yield "|---|---|---|"
    for about in DECLARED:
        says = ", ".join(severity.name.lower() for severity in about.severities)
        yield f"| [`{about.name}`](#{about.name}) | {says} | {_span(about.fold_seconds)} |"
    for about in DECLARED:
        yield from _section(about)
    yield ""
    yield "## Memory"
    yield ""
    yield "The watch remembers people, cases and networks of the last days, never all history."
    yield "Every map has a largest size; what it throws away beyond that is counted."
    yield "A watch that starts again is fed the events of those days first, and says nothing."
    yield "Where those are many, rules that speak of minutes go on at once, and the others follow."
    yield from _table(("history_days", "most_people", "most_cases"))


def _section(about: About) -> Iterator[str]:
    yield ""
    yield f"### {about.name}"
    yield ""
    yield from _words(about.en, "Why", "What to do")
    yield ""
    yield from _words(about.nl, "Waarom", "Wat te doen")
    if about.limits:
        yield from _table(about.limits)


def _words(words: Words, why: str, act: str) -> Iterator[str]:
    yield words.sees
    yield f"*{why}:* {words.why}"
    yield f"*{act}:* {words.act}"


def _table(names: tuple[str, ...]) -> Iterator[str]:
    standard, known = Thresholds(), meanings()
    yield ""
    yield "| threshold | standard | what | wat |"
    yield "|---|---|---|---|"
    for name in names:
        meaning = known[name]
        value = f"{getattr(standard, name)} {meaning.unit}"
        yield f"| `{name}` | {value} | {meaning.en} | {meaning.nl} |"


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    return f"{days} days" if days > 1 else "a day" if days == 1 else f"{rest // 3600} hour"


if __name__ == "__main__":
    sys.stdout.write(document())
