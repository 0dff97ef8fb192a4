"""The command lines' parser: argparse's, that takes negative numbers and says what a mistyped option may mean."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from paddlepose import plugins

_MISUSE = 2  # the exit status of a command line that cannot be read


class Parser(argparse.ArgumentParser):
    """Options of `paddlepose COMMAND`."""

    def __init__(self, command: str, description: str | None, **how: Any) -> None:
        """A parser that calls itself `paddlepose COMMAND`; `how` is argparse's."""
        super().__init__(f"paddlepose {command}", description=description, **how)
        self._given: list[str] = []

    def parse_known_args(
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's, where a value that begins with a negative number, as `--bbox -5,0,90,90`, is a value."""
        self._given = list(_joined(sys.argv[1:] if args is None else args))
        return super().parse_known_args(self._given, namespace)

    def error(self, message: str) -> NoReturn:
        """End the program: one line with what is wrong, and the option that was probably meant."""
        options = [name for name in self._option_string_actions if name.startswith("--")]
        words = [word.partition("=")[0] for word in self._given if word.startswith("--")]
        strange = [word for word in words if not any(name.startswith(word) for name in options)]
        hints = "".join(f"; no option {word}{plugins.nearest(word, options)}".rstrip(".") for word in strange)
        self.exit(_MISUSE, f"error: {message}{hints}; {self.prog} --help lists the options\n")


def _joined(words: Sequence[str]) -> Iterator[str]:
    """The words, where an option and a negative number after it are one word."""
    waiting = None
    for word in words:
        if waiting is not None and re.match(r"-[\d.]", word):
            yield f"{waiting}={word}"
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = word if word.startswith("--") and "=" not in word else None
        if waiting is None:
            yield word
    if waiting is not None:
        yield waiting
