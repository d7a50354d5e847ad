"""What the watch finds: one table, from simulated logs that no rule was made by looking at.

`python -m bench.watch` reads the seeds JUDGING: with attacks for what is found, without for noise.
`--tuning` reads the others, while thresholds are chosen; `--small` is quick and says little.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.log import CALLERS, ours
from bench.watch.attacks import SCENARIOS
from bench.watch.score import Recall, Run, per_thousand, precision, read, recalls
from bench.watch.stream import JUDGING, SMALL, TUNING, Stream
from bench.watch.town import Size

SECONDS = 3.0  # of appending
HIGH_AT_MOST, QUEUE_AT_MOST, PRECISION_AT_LEAST = 2.0, 10.0, 0.5


def main() -> None:
    """Read the streams and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tuning", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--jobs", type=int, default=2, help="streams read at a time")
    given = parser.parse_args()
    seeds = TUNING if given.tuning else JUDGING
    size, variants = (SMALL, 2) if given.small else (Size(), 20)
    streams = [Stream(seed, size, count) for count in (variants, 0) for seed in seeds]
    with ProcessPoolExecutor(max_workers=given.jobs) as pool:
        runs = list(pool.map(read, streams))
    attacked, quiet = runs[: len(seeds)], runs[len(seeds) :]
    lines = [*table(seeds, attacked, quiet), "", appending()]
    sys.stdout.write("\n".join(lines) + "\n")


def appending() -> str:
    """How fast the log itself takes events, on SQLite, in this same run."""
    with tempfile.TemporaryDirectory() as place:
        url, signer = f"sqlite+aiosqlite:///{place}/log.db", Path(place) / "signer"
        run, _ = asyncio.run(ours(url, signer, SECONDS, CALLERS))
    return f"The log took {run.rate:,.0f} events a second from {CALLERS} callers."


def table(seeds: Sequence[int], attacked: Sequence[Run], quiet: Sequence[Run]) -> Sequence[str]:
    """The lines of the table, with what was asked for beside what was found."""
    found: dict[str, list[Recall]] = {name: [] for name in SCENARIOS}
    for run in attacked:
        for recall in recalls(run):
            found[recall.scenario].append(recall)
    lines = [
        f"seeds {', '.join(map(str, seeds))}",
        "",
        "| scenario | planted | told in time | asked | as high | by chance | median delay |",
        "|---|---|---|---|---|---|---|",
        *(_row(name, found[name]) for name in SCENARIOS),
        "",
        "| figure | found | asked |",
        "|---|---|---|",
        *_figures(attacked, quiet),
    ]
    noisy = Counter(each.rule for run in quiet for each in run.said)
    high = Counter(each.rule for run in quiet for each in run.said if each.high_at is not None)
    lines += ["", "| noise by rule | alerts | of them high |", "|---|---|---|"]
    return [*lines, *(f"| {rule} | {n} | {high[rule]} |" for rule, n in noisy.most_common())]


def _row(name: str, found: Sequence[Recall]) -> str:
    _, limit, least = SCENARIOS[name]
    planted = sum(each.variants for each in found)
    told, high, chance = (
        sum(getattr(each, what) for each in found) / max(planted, 1)
        for what in ("told", "told_high", "by_chance")
    )
    delay = max(each.delay for each in found)
    asked = f"{least:.0%} in {limit}"
    return (
        f"| {name} | {planted} | {told:.0%} | {asked} | {high:.0%} | {chance:.0%} | {delay:.0f} s |"
    )


def _figures(attacked: Sequence[Run], quiet: Sequence[Run]) -> Sequence[str]:
    right, every = precision(attacked)
    high = max(per_thousand(run, run.user_days, high=True) for run in quiet)
    strict = max(per_thousand(run, run.worked, high=True) for run in quiet)
    queue = max(per_thousand(run, run.user_days, high=False) for run in quiet)
    runs = (*attacked, *quiet)
    return (
        f"| high alerts per 1 000 benign user-days | {high:.2f} | at most {HIGH_AT_MOST} |",
        f"| the same, per 1 000 days on which somebody worked | {strict:.2f} | - |",
        f"| others, the queue, per 1 000 benign user-days | {queue:.2f} | {QUEUE_AT_MOST} |",
        f"| precision of high | {right / max(every, 1):.2f} | at least {PRECISION_AT_LEAST} |",
        f"| events a second of one core, slowest run | {slowest(runs):,.0f} | - |",
        f"| events read | {sum(run.events for run in runs):,} | - |",
    )


def slowest(runs: Sequence[Run]) -> float:
    """Events a second of the run in which the rules were slowest."""
    return min(run.events / run.seconds for run in runs)


if __name__ == "__main__":
    main()
