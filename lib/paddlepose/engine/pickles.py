"""Reading the pickles that weights come in, without running anything that stands in them."""

import collections
import pickle
from pathlib import Path
from typing import Any

import numpy as np


class _RefusedError(Exception):
    pass


def _latin1(text: str, encoding: str) -> bytes:
    """The bytes that pickles before protocol 3 wrote as text."""
    if encoding != "latin1":
        raise _RefusedError(f"it asks to encode text as {encoding}, which no file of weights needs")
    return text.encode(encoding)


# All that a file of arrays needs. A pickle is a program that calls what it names; these calls make values only.
_ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("builtins", "tuple"): tuple,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): bytes,  # what pickles before protocol 3 call `builtins`
    ("__builtin__", "tuple"): tuple,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy._core.multiarray", "scalar"): np._core.multiarray.scalar,
    ("numpy._core.numeric", "_frombuffer"): np._core.numeric._frombuffer,
}
_ALLOWED |= {(module.replace("_core", "core"), name): call for (module, name), call in _ALLOWED.items()}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The allowed call of that name."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _RefusedError(f"it asks to run {module}.{name}, which no file of weights needs") from None


def read_pickle(path: Path) -> Any:
    """Value pickled in a file: dicts, lists, numbers, texts and arrays.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no pickle, it is cut off, or it would run code; nothing of it was run.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of weights")
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except _RefusedError as error:
        raise ValueError(f"{path}: refused, not read: {error}") from error
    except Exception as error:  # a damaged pickle fails in whatever way its bytes happen to mean
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: not a file of weights, or cut off ({reason}): copy it again") from error
