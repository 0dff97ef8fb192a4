"""Values that come from a file, held to the types that a dataclass says its fields have."""

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Key = int | str

_MOST_ID = 2**62  # ids are kept in 64 bits; a larger number is taken for a name


def checked(kind: type, values: object, where: str) -> dict[str, Any]:
    """Arguments for the dataclass `kind`, if `values` are a mapping that has what it needs, of the right types.

    Lists are taken for tuples, whole numbers for decimals. Raises ValueError: which field does not fit, and what it is.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where}: expected fields by name, got {short(values)}")
    known = {field.name: field for field in fields(kind)}
    if strangers := [name for name in values if name not in known]:
        raise ValueError(f"{where}: no field {short(strangers[0])}")
    if missing := [n for n, f in known.items() if n not in values and f.default is f.default_factory is MISSING]:
        raise ValueError(f"{where}: '{missing[0]}' is missing")
    hints = get_type_hints(kind)
    return {name: _fitting(value, hints[name], f"{where}: {name}") for name, value in values.items()}


def _fitting(value: Any, hint: Any, where: str) -> Any:
    """The value as the type `hint`; a number is finite."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _fitting(value, parts[0], where)
    if origin is Literal:
        if value not in parts:
            raise ValueError(f"{where}: expected {' or '.join(map(repr, parts))}, got {short(value)}")
        return value
    if origin is tuple:
        return _tuple(value, parts, where)
    if is_dataclass(hint):
        return hint(**checked(hint, value, where))
    plain = origin or hint
    fits = isinstance(value, plain) or (plain is float and isinstance(value, int))
    if not fits or (isinstance(value, bool) and plain is not bool) or not _finite(value):
        raise ValueError(f"{where}: expected {_title(plain)}, got {short(value)}")
    return value


def _tuple(value: Any, parts: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where}: expected a list, got {short(value)}")
    hints = (parts[0],) * len(value) if parts[1:] == (Ellipsis,) else parts
    if len(value) != len(hints):
        raise ValueError(f"{where}: expected {len(hints)} values, got {short(value)}")
    return tuple(_fitting(item, hint, where) for item, hint in zip(value, hints, strict=True))


def _finite(value: Any) -> bool:
    if not isinstance(value, int | float):
        return True
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all decimals
        return False


def _title(plain: type) -> str:
    names = {int: "a whole number", float: "a finite number", str: "a text", bool: "true or false"}
    return names.get(plain, "fields by name")


def key(value: Any, title: str) -> Key:
    """What an id is known by: the whole number that it is or spells, or else its text.

    Raises ValueError: it is neither.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{title}: expected a number or a text, got {short(value)}")
    if isinstance(value, str) and value.isdecimal() and len(value) < len(str(_MOST_ID)):
        return int(value)
    return value if isinstance(value, str) or abs(value) < _MOST_ID else str(value)


def numbers(value: Any, size: int, title: str, *, nullable: bool = False) -> NDArray[np.float64]:
    """A list of `size` finite numbers, or NaN for each None if it is `nullable`. Raises ValueError: it is not that."""
    try:
        array = np.array(value)
        if array.dtype == object:
            array = np.array([np.nan if number is None else number for number in array.ravel()])
    except (ValueError, OverflowError):
        array = np.array("")
    right = array.size == size and array.dtype.kind in "biuf"
    if not right or not (np.isfinite(array) | (np.isnan(array) & nullable)).all():
        wanted = "a number" if size == 1 else f"{size} numbers"
        raise ValueError(f"{title}: expected {wanted}, got {short(value)}")
    return array.astype(np.float64).ravel()


def short(value: object) -> str:
    """A value as Python writes it, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
