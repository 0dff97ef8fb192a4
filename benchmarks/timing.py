"""Times of calls that take turns, so that what else a machine does falls on all of them alike."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

_REST = 0.1  # seconds, after which nothing of an earlier call is running any more

Calls = Mapping[str, Callable[[int], object]]  # by name; each is given the number of the turn


def warn_of_load() -> None:
    """Say so on the error stream where the machine is busy with something else; takes a second to find out.

    Threads that wait for each other suffer from it many times more than others do, so that ratios are wrong as well.
    """
    before = _processor_ticks()
    time.sleep(1)
    idle, total = (after - first for after, first in zip(_processor_ticks(), before, strict=True))
    if idle < 0.9 * total:
        print(f"warning: the processor is {1 - idle / total:.0%} busy: the figures are worth nothing", file=sys.stderr)


def _processor_ticks() -> tuple[int, int]:
    """Time that the processor was idle, and all time, since it was started."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return ticks[3], sum(ticks)


def medians(calls: Calls, repeats: int) -> dict[str, float]:
    """Median seconds of each call by its name, over `repeats` turns after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name in in_turn(list(calls), turn):
            start = time.perf_counter()
            calls[name](turn)
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values[1:]) for name, values in seconds.items()}


def medians_of_processes(commands: Mapping[str, Sequence[str]], turns: int) -> dict[str, float]:
    """Median milliseconds of the call that each command serves, after one turn that does not count.

    All processes are there from the beginning; one works while the others wait.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with ExitStack() as at_exit:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        servers = {name: at_exit.enter_context(subprocess.Popen(call, **pipes)) for name, call in commands.items()}
        for turn in range(turns + 1):
            for name in in_turn(list(servers), turn):
                time.sleep(_REST)
                print(file=servers[name].stdin, flush=True)
                line = servers[name].stdout.readline()
                if not line:
                    raise SystemExit(f"failed: {' '.join(commands[name])}")
                seconds[name] += json.loads(line) if turn else []
        for server in servers.values():
            server.stdin.close()
    return {name: 1000 * median(values) for name, values in seconds.items()}


def serve(call: Callable[[], object], runs: int) -> None:
    """Seconds of some calls, as a line of JSON, for each line that comes in."""
    for _ in sys.stdin:
        call()
        seconds = []
        for _ in range(runs):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        print(json.dumps(seconds), flush=True)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Processes that take a core each meanwhile."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()


def in_turn(names: Sequence[str], turn: int) -> Sequence[str]:
    """The names forwards in one turn, backwards in the next: none is always the first."""
    return names if turn % 2 == 0 else names[::-1]


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    return "\n".join(map(table_row, [titles, ["---"] * len(titles), *rows]))


def table_row(cells: Sequence[object]) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"
