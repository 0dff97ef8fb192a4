"""Times of calls that take turns, so that what else a machine does falls on all of them alike."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

Calls = Mapping[str, Callable[[int], object]]  # by name; each is given the number of the turn


def warn_of_load() -> None:
    """Say so on the error stream where the machine is busy with something else.

    Threads that wait for each other suffer from it many times more than others do, so that ratios are wrong as well.
    """
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load > 0.25 * cores:
        print(f"warning: load {load:.1f} on {cores} cores: these figures are good for nothing", file=sys.stderr)


def medians(calls: Calls, repeats: int) -> dict[str, float]:
    """Median seconds of each call by its name, over `repeats` turns after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name in in_turn(list(calls), turn):
            start = time.perf_counter()
            calls[name](turn)
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values[1:]) for name, values in seconds.items()}


def in_turn(names: Sequence[str], turn: int) -> Sequence[str]:
    """The names forwards in one turn, backwards in the next: none is always the first."""
    return names if turn % 2 == 0 else names[::-1]


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
