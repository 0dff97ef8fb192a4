"""What onnxruntime's threads cost that wait for work by spinning: on a quiet machine, and where others take a core."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from timing import busy, medians_of_processes, serve, table, warn_of_load

SPIN = "session.intra_op"
# Threads, 0 for as many as there are cores, and what onnxruntime is told of spinning.
WAYS = {
    "onnxruntime's own": (0, {}),
    "10 microseconds, as here": (0, {f"{SPIN}.spin_duration_us": "10"}),
    "50 microseconds": (0, {f"{SPIN}.spin_duration_us": "50"}),
    "none": (0, {f"{SPIN}.allow_spinning": "0"}),
    "one thread": (1, {}),
}
RUNS = 8  # in each turn


def main() -> None:
    """Print the medians as a Markdown table; each way has a process of its own, and they take turns."""
    arguments = _parser().parse_args()
    if arguments.way:
        run(arguments.model, arguments.way, arguments.people)
        return
    warn_of_load()
    quiet = medians(arguments)
    with busy(arguments.busy):
        beside = medians(arguments)
    rows = [[way, f"{quiet[way]:.1f}", f"{beside[way]:.1f}"] for way in WAYS]
    print(table(["spinning", "quiet, ms", "beside other work, ms"], rows))


def medians(arguments: argparse.Namespace) -> dict[str, float]:
    """Milliseconds of a call, by the way."""
    call = [sys.executable, __file__, str(arguments.model), "--people", str(arguments.people), "--way"]
    return medians_of_processes({way: [*call, way] for way in WAYS}, arguments.turns)


def run(model: Path, way: str, people: int) -> None:
    """Serve the calls of one way."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, entries = WAYS[way]
    for entry in entries.items():
        options.add_session_config_entry(*entry)
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    images = {given.name: np.random.default_rng(0).random((people, *given.shape[1:]), np.float32)}
    serve(lambda: session.run(None, images), RUNS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an exported top-down network")
    parser.add_argument("--people", type=int, default=1, help="in a call")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--busy", type=int, default=1, help="processes that take a core each (%(default)s)")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
