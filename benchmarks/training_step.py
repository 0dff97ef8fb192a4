"""Training step and forward pass of each family's smallest network: this package on Paddle against plain PyTorch.

Both are measured in processes of their own that take turns, several rounds of them; `--default-settings` adds Paddle
without the settings of `paddlepose/cpu.py`. All at 256x192, 17 joints, on the CPU in 32 bits.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

from families import MODELS
from timing import in_turn, table, warn_of_load

PADDLE, TORCH, DEFAULTS = "paddlepose", "PyTorch", "default settings"
MEASURES = {"train step": "train", "forward": "forward"}  # and what the table calls them
THREADS = {PADDLE: "MKL_NUM_THREADS", TORCH: "OMP_NUM_THREADS"}  # what sets them; Paddle's default is one

Figures = dict[str, float]


def main() -> None:
    """Print the medians over the rounds and their ratios to PyTorch's as a Markdown table, one row a network."""
    arguments = _parser().parse_args()
    warn_of_load()
    rows = []
    for network in arguments.networks:
        commands = _commands(network, arguments)
        rounds: dict[str, list[Figures]] = {name: [] for name in commands}
        for i in range(arguments.rounds):
            for name in in_turn(list(commands), i):
                rounds[name].append(measure(commands[name], _environment(name, arguments.threads)))
                print(f"{network}, round {i + 1}, {name}: {rounds[name][-1]}", file=sys.stderr)
        _compare_sizes(network, rounds)
        rows.append([network, *row(rounds)])
    print(table(["", *_titles(arguments)], rows))


def row(rounds: dict[str, list[Figures]]) -> list[str]:
    """By measure: each contender's median milliseconds, and but for PyTorch the median of its rounds' ratios to it."""
    cells = []
    for measure in MEASURES:
        for name, figures in rounds.items():
            cells.append(f"{median(figure[measure] for figure in figures) * 1000:.0f}")
            if name != TORCH:
                ratios = (own[measure] / torch[measure] for own, torch in zip(figures, rounds[TORCH], strict=True))
                cells.append(f"{median(ratios):.2f}")
    return cells


def measure(command: list[str], environment: dict[str, str]) -> Figures:
    """Seconds by measure, and the number of parameters, from what a script prints."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    found = dict(re.findall(r"^([a-z ]+): +([\d.]+)(?: s)?$", output, re.MULTILINE))
    return {title: float(found[title]) for title in ("parameters", *MEASURES)}


def _compare_sizes(network: str, rounds: dict[str, list[Figures]]) -> None:
    """Raise an error where the contenders did not measure the same network."""
    sizes = {name: figures[0]["parameters"] for name, figures in rounds.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"{network}: numbers of parameters differ: {sizes}")


def _titles(arguments: argparse.Namespace) -> list[str]:
    titles = []
    for measure in MEASURES.values():
        for name in _commands(arguments.networks[0], arguments):
            titles += [f"{measure}, {name}, ms"] + (["ratio"] if name != TORCH else [])
    return titles


def _environment(name: str, threads: int | None) -> dict[str, str]:
    """The environment of a contender that may use so many threads, all cores by None."""
    limit = {THREADS[name]: str(threads)} if threads and name in THREADS else {}
    return {**os.environ, **limit}


def _commands(network: str, arguments: argparse.Namespace) -> dict[str, list[str]]:
    """What measures a network, by contender."""
    options = ["--network", network, "--batch", str(arguments.batch), "--repeats", str(arguments.repeats)]
    paddle = [sys.executable, str(Path(__file__).with_name("paddle_step.py")), *options]
    torch = [str(arguments.torch_python), str(Path(__file__).with_name("torch_step.py")), *options]
    defaults = {DEFAULTS: [*paddle, "--default-settings"]} if arguments.default_settings else {}
    return {PADDLE: paddle, TORCH: torch, **defaults}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", type=Path, default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--networks", nargs="+", choices=list(MODELS), default=list(MODELS), metavar="NETWORK")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5, help="calls in a round, of which the median counts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of each; all cores where none is given")
    parser.add_argument("--default-settings", action="store_true", help="measure Paddle as it comes, too")
    return parser


if __name__ == "__main__":
    main()
