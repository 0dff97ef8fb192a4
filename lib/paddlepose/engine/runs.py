"""Folders of runs: each new one of an experiment gets its own, `name`, `name-2`, `name-3`."""

import re
from pathlib import Path

from paddlepose.engine.checkpoint import BEST, FILE, FINAL

SETTINGS = "config.yaml"  # what a run was started with


def newest(base: Path) -> str:
    """Name of the newest run of those in `base` and in `base-2`, `base-3`, ...; that of `base` if there is none."""
    return _name(base, max(_numbers(base), default=1))


def new(base: Path) -> str:
    """Name for another run of an experiment, whose first is in `base`."""
    return _name(base, max(_numbers(base), default=0) + 1)


def is_run(folder: Path) -> bool:
    """Whether a training has left weights in a folder: one that failed before that leaves it to the next."""
    return any((folder / name).exists() for name in (FILE, BEST, FINAL, "stage0"))


def _numbers(base: Path) -> list[int]:
    """Numbers of the runs that are there; the first one's is 1."""
    found = [1] if is_run(base) else []
    for folder in base.parent.glob(f"{base.name}-*") if base.parent.is_dir() else ():
        number = folder.name[len(base.name) + 1 :]
        if re.fullmatch(r"[2-9]|[1-9]\d+", number) and is_run(folder):
            found.append(int(number))
    return found


def _name(base: Path, number: int) -> str:
    return base.name if number == 1 else f"{base.name}-{number}"
