"""Reading the pickles that weights come in, without running anything that stands in them."""

import io
import pickle
import re
from collections import OrderedDict
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

_LINE = 2048  # bytes of a line of text; the number that a longer one may be takes minutes to read
_ROOM = 8  # bytes of arguments and arrays that a file may ask for by each of its own
_LEAST_ROOM = 2**20  # what the smallest file may ask for, in bytes


class RefusedError(Exception):
    """What a file asks for that no file of weights needs."""


class Reader(io.BufferedReader):
    """File that makes room for `limit` bytes at most in a call, and whose early end is an error."""

    limit = 2**26

    def read(self, size: int = -1) -> bytes:
        """That many bytes, or all that are left."""
        if size > self.limit:
            raise EOFError(f"{size:,} bytes are said to follow")
        data = super().read(size)
        if len(data) < size:
            raise EOFError(f"{len(data):,} bytes follow where {size:,} should")
        return data

    def readline(self, size: int = _LINE) -> bytes:
        """One whole line."""
        line = super().readline(size)
        if not line.endswith(b"\n"):
            raise EOFError("a line of text has no end")
        return line


class Foreign:
    """What stands in a pickle in place of an object that no file of weights needs: nothing is done to it, or by it."""

    def __init__(self, name: str) -> None:
        """Stand for what `name` would make."""
        self.name = name

    def __call__(self, *_: Any) -> "Foreign":
        """Itself, whatever it is called with."""
        return self

    def append(self, _: Any) -> None:
        """Drop an item, or several."""

    extend = append

    def refuse(self) -> NoReturn:
        """Raise RefusedError: it stands where weights should."""
        raise RefusedError(f"it asks to run {self.name}, which no file of weights needs")


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """File of weights, open for a block; whatever goes wrong in the block is one line that begins with the path.

    Raises FileNotFoundError: no such file; ValueError: the block refused the file, or failed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of weights")
    try:
        with Reader(io.FileIO(path)) as file:
            file.limit = path.stat().st_size
            yield file
    except RefusedError as error:
        raise ValueError(f"{path}: refused, not read: {_one_line(str(error))}") from error
    except Exception as error:  # a damaged file fails in whatever way its bytes happen to mean
        reason = _one_line(f"{type(error).__name__}: {error}")
        raise ValueError(f"{path}: not a file of weights, or cut off ({reason}): copy it again") from error


def _one_line(text: str) -> str:
    """What a terminal can show, whatever names a file has put into it."""
    return text[:300].encode("unicode_escape").decode()


def _latin1(text: str, encoding: str) -> bytes:
    """The bytes that pickles before protocol 3 wrote as text."""
    if type(encoding) is str and encoding != "latin1":
        raise RefusedError(f"it asks to encode text as {encoding}, which no file of weights needs")
    return text.encode(encoding)


class _Dtype:
    """Type of an array's elements, numbers only; a pickle names it first and then sets its byte order."""

    def __init__(self, name: str, *_: Any) -> None:
        if not re.fullmatch(r"[<>|=]?[biufc]\d{1,2}", name):
            raise RefusedError(f"it asks for arrays of {name}, which no file of weights needs")
        self.dtype = np.dtype(name)


def _from_buffer(raw: bytes, kind: _Dtype, shape: tuple[int, ...], order: Literal["C", "F"]) -> NDArray[Any]:
    if type(raw) is not bytes:  # a number would make that many zeros
        raise TypeError("an array's contents are no bytes")
    return np.frombuffer(bytearray(raw), kind.dtype).reshape(shape, order=order)


def _put(target: Any, items: list[Any]) -> Any:
    """A dictionary with more keys and values, which follow each other."""
    if isinstance(target, Foreign):
        return target
    if not isinstance(target, dict):
        raise RefusedError("it asks to change what is no dictionary, which no file of weights needs")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # the others take for ever where they are nested, or made to collide
        if type(key) is not str and not (type(key) is int and abs(key) < 2**60):
            raise RefusedError("it has a dictionary whose keys are no names, which no file of weights needs")
        target[key] = value
    return target


# All that a file of arrays needs. A pickle is a program that calls what it names; these calls make values only. Numpy's
# own are not among them: they make arrays of any size, and believe a pickle about which bytes are pointers.
_CALLS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): lambda pairs=(): _put(OrderedDict(), [x for k, v in pairs for x in (k, v)]),
    ("builtins", "tuple"): lambda items=(): items,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): lambda: b"",  # what pickles before protocol 3 call `builtins`
    ("__builtin__", "tuple"): lambda items=(): items,
    ("numpy", "ndarray"): "numpy.ndarray",  # only ever an argument
    ("numpy", "dtype"): _Dtype,
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: np.empty(0, np.int8),
    ("numpy._core.multiarray", "scalar"): lambda kind, raw: np.frombuffer(raw, kind.dtype, count=1)[0],
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
}
_CALLS |= {(module.replace("_core", "core"), name): call for (module, name), call in _CALLS.items()}
# Instructions that make sets, objects and numbers of any length, or bring back what another pickle has left behind.
_UNUSED = [
    getattr(pickle, name)[0]
    for name in "EMPTY_SET ADDITEMS FROZENSET INST OBJ NEWOBJ NEWOBJ_EX LONG4 EXT1 EXT2 EXT4 READONLY_BUFFER".split()
]


class SafeUnpickler(pickle._Unpickler):
    """Unpickler that makes values only, in time and memory in proportion to the file's size.

    It is Python's own in Python: that in C makes room for any index that a pickle names in its memo.
    """

    calls: ClassVar[dict[tuple[str, str], Any]] = _CALLS

    def __init__(self, file: Reader, size: int) -> None:
        """Read from `file`; the whole that it is a part of has `size` bytes."""
        super().__init__(file)
        self._room = _ROOM * size + _LEAST_ROOM

    def find_class(self, module: str, name: str) -> Any:
        """The allowed call of that name."""
        return self.calls[module, name] if (module, name) in self.calls else self.foreign(f"{module}.{name}")

    def foreign(self, name: str) -> Foreign:
        """What is taken in place of a call that is not allowed. Raises RefusedError: nothing is."""
        Foreign(name).refuse()

    def spend(self, size: int) -> None:
        """Count bytes that are to be made, so that a small file cannot ask for a large value again and again."""
        self._room -= size
        if self._room < 0:
            raise RefusedError(f"it asks for more than {_ROOM} times its size, which no file of weights needs")

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        self.spend(len(arguments) + sum(len(item) for item in arguments if isinstance(item, Sized)))
        self.append(self.stack.pop()(*arguments))

    def _build(self) -> None:
        """Set an array's contents. Attributes of dictionaries are dropped: one may have the name of a method."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, np.ndarray):
            _, shape, kind, fortran, raw = state
            self.spend(len(raw))
            target.__setstate__((1, shape, kind.dtype, fortran, raw))
        elif isinstance(target, _Dtype) and state[1] in ("<", ">"):
            target.dtype = target.dtype.newbyteorder(state[1])

    def _put_items(self) -> None:
        items = self.pop_mark()
        _put(self.stack[-1], items)

    def _put_item(self) -> None:
        items = [self.stack.pop(-2), self.stack.pop()]
        _put(self.stack[-1], items)

    def _dictionary(self) -> None:
        items = self.pop_mark()
        self.append(_put({}, items))

    def _memoize(self) -> None:
        self.memo[int(self.readline()) % 2**32] = self.stack[-1]  # longer numbers can be made to collide

    def _refuse(self) -> None:
        raise RefusedError("it has instructions that no file of weights needs")

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        **dict.fromkeys(_UNUSED, _refuse),
        pickle.BYTEARRAY8[0]: pickle._Unpickler.load_binbytes8,  # which makes no room before it has read
        pickle.FRAME[0]: lambda self: self.read(8),
        pickle.PUT[0]: _memoize,
        pickle.DICT[0]: _dictionary,
        pickle.SETITEM[0]: _put_item,
        pickle.SETITEMS[0]: _put_items,
        pickle.REDUCE[0]: _reduce,
        pickle.BUILD[0]: _build,
    }


def read_pickle(path: Path) -> Any:
    """Value pickled in a file: dicts, lists, numbers, texts and arrays.

    Raises FileNotFoundError: no such file; ValueError: it is no pickle, it is cut off, or it would run code;
    nothing of it was run.
    """
    with reading(path) as file:
        return SafeUnpickler(file, file.limit).load()
