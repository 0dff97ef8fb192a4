"""A folder is a registry: the network `pose_resnet` is the file `models/pose_resnet.py`; data sets, codecs likewise."""

import difflib
import importlib
import pkgutil
from types import ModuleType


def names(package: str) -> list[str]:
    """Names of all plugins in `paddlepose.<package>`; modules that start with `_` are not plugins."""
    folder = importlib.import_module(f"paddlepose.{package}").__path__
    return sorted(module.name for module in pkgutil.iter_modules(folder) if not module.name.startswith("_"))


def find(package: str, name: str) -> ModuleType:
    """Module `paddlepose.<package>.<name>`.

    Raises ValueError: there is no such file; the message names the nearest and lists all.
    """
    known = names(package)
    if name in known:
        return importlib.import_module(f"paddlepose.{package}.{name}")
    raise ValueError(f"no {package} named '{name}'{nearest(name, known)} There are: {', '.join(known)}")


def nearest(word: str, known: list[str]) -> str:
    """The end of a sentence: `, did you mean 'x'?` for the known word most like `word`, `.` where none is like it."""
    matches = difflib.get_close_matches(word, known, 1)
    return f", did you mean '{matches[0]}'?" if matches else "."
