"""Files gone wrong by dice: bytes that are changed, and values that are something else than they should be."""

import copy

import numpy as np

ODD = (
    None,
    True,
    0,
    -1,
    3,
    1e308,
    -0.5,
    2**70,
    10**400,
    "",
    "nan",
    "1",
    "a\nb",
    "\x1b[2J",
    "../x",
    [],
    {},
    [[]],
    [None],
)
ODD += ([1, 2], {"a": 1}, "x" * 5000)
NESTED = "a deeply nested list"  # the writers of JSON and YAML cannot write one


def nested(text: str, rng: np.random.Generator) -> bytes:
    """JSON or YAML with lists of some depth where a value asks for one."""
    depth = int(rng.choice([3, 50, 3000]))
    return text.replace(f'"{NESTED}"', NESTED).replace(NESTED, "[" * depth + "]" * depth).encode()


def mutated_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four changes: bytes overwritten, a part left out, doubled or filled with one value, the end cut off."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if not changed:
            break
        start = int(rng.integers(len(changed)))
        size = int(min(rng.geometric(0.1), len(changed) - start))
        part = slice(start, start + size)
        match rng.integers(5):
            case 0:
                changed[part] = rng.integers(0, 256, size, np.uint8).tobytes()
            case 1:
                del changed[part]
            case 2:
                changed[part] = bytes(changed[part]) * 2
            case 3:
                changed[part] = bytes([int(rng.choice([0, 255, 48, 91]))]) * size
            case _:
                del changed[start:]
    return bytes(changed)


def mutated_value(value, rng: np.random.Generator):
    """A copy of nested lists and objects in which one to three places hold something else, are missing or doubled."""
    changed = copy.deepcopy(value)
    for _ in range(rng.integers(1, 4)):
        places = list(_places(changed))
        if not places:
            break
        holder, key = places[rng.integers(len(places))]
        match rng.integers(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
            case 2:
                other, at = places[rng.integers(len(places))]
                holder[key] = copy.deepcopy(other[at]) if at in other or isinstance(other, list) else None
            case 3:
                holder[key] = copy.deepcopy(NESTED)
            case _:
                holder[key] = copy.deepcopy(ODD[rng.integers(len(ODD))])  # a later change may be in it
    return changed


def _places(value):
    """Each list or object with each of its keys, at every depth."""
    stack = [value]
    while stack:
        holder = stack.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            stack.append(holder[key])
