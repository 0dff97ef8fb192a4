"""MATLAB's files, read in a process of its own: SciPy crashes on some that are damaged."""

import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import scipy.io


def variables(path: Path, **options: Any) -> dict[str, Any]:
    """The variables of a file, with the options of scipy.io.loadmat. Raises ValueError: its reading crashed."""
    with ProcessPoolExecutor(1, initializer=_crash_quietly) as process:
        try:
            return process.submit(partial(scipy.io.loadmat, path, **options)).result()
        except BrokenProcessPool as error:
            raise ValueError("damaged: its reading crashed; copy or download it again") from error


def _crash_quietly() -> None:
    """Have a signal end the process and no more: Paddle would report it on the screen."""
    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT):
        signal.signal(number, signal.SIG_DFL)
