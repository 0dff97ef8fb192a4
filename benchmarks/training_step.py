"""PoseResNet-50 256x192, training step and forward pass: this package on Paddle against the same network in PyTorch.

Both are measured in processes of their own that take turns, several rounds of them; `--default-settings` adds Paddle
without the settings of `paddlepose/cpu.py`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

from timing import in_turn, table, warn_of_load

PADDLE, TORCH, DEFAULTS = "paddlepose", "PyTorch", "Paddle, default settings"
MEASURES = ("train step", "forward")
THREADS = {PADDLE: "MKL_NUM_THREADS", TORCH: "OMP_NUM_THREADS"}  # what sets them; Paddle's default is one


def main() -> None:
    """Print the medians over the rounds and their ratios to PyTorch's as a Markdown table."""
    arguments = _parser().parse_args()
    warn_of_load()
    commands = _commands(arguments)
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for i in range(arguments.rounds):
        for name in in_turn(list(commands), i):
            rounds[name].append(measure(commands[name], _environment(name, arguments.threads)))
            print(f"round {i + 1}, {name}: {rounds[name][-1]}", file=sys.stderr)
    titles = [title for measure in MEASURES for title in (f"{measure}, ms", "ratio")]
    print(table(["", *titles], rows(rounds)))


def rows(rounds: dict[str, list[dict[str, float]]]) -> list[list[str]]:
    """One row a contender: the medians over its rounds, and the medians of each round's ratio to PyTorch."""
    result = []
    for name, figures in rounds.items():
        row = [name]
        for title in MEASURES:
            seconds = [figure[title] for figure in figures]
            ratios = [figure[title] / torch[title] for figure, torch in zip(figures, rounds[TORCH], strict=True)]
            row += [f"{median(seconds) * 1000:.0f}", f"{median(ratios):.2f}"]
        result.append(row)
    return result


def measure(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Seconds by measure, from what a script prints."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    found = dict(re.findall(r"^([a-z ]+): +([\d.]+) s$", output, re.MULTILINE))
    return {title: float(found[title]) for title in MEASURES}


def _environment(name: str, threads: int | None) -> dict[str, str]:
    """The environment of a contender that may use so many threads, all cores by None."""
    limit = {THREADS[name]: str(threads)} if threads and name in THREADS else {}
    return {**os.environ, **limit}


def _commands(arguments: argparse.Namespace) -> dict[str, list[str]]:
    size = ["--batch", str(arguments.batch), "--repeats", str(arguments.repeats)]
    paddle = [sys.executable, str(Path(__file__).with_name("paddle_step.py")), *size]
    torch = [str(arguments.torch_python), str(arguments.yardstick), *size, "--height", "256", "--width", "192"]
    commands = {PADDLE: paddle, TORCH: torch}
    if arguments.default_settings:
        commands[DEFAULTS] = [*paddle, "--default-settings"]
    return commands


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", type=Path, required=True, help="an interpreter that has PyTorch")
    parser.add_argument(
        "--yardstick", type=Path, required=True, help="script for it that prints 'train step: 1.0 s', 'forward: 1.0 s'"
    )
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5, help="calls in a round, of which the median counts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of each; all cores where none is given")
    parser.add_argument("--default-settings", action="store_true", help="measure Paddle as it comes, too")
    return parser


if __name__ == "__main__":
    main()
