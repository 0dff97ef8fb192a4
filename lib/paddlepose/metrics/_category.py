"""The category of people of an annotation file in COCO's format: which one, its joints and limbs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from paddlepose.core.fields import Key, key, short
from paddlepose.core.types import Pairs
from paddlepose.plugins import nearest

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Category:
    """The category of people; several with the same joints count as one."""

    id: Any  # as the file writes it
    name: str
    joints: tuple[str, ...]  # their names; none where the file does not say
    limbs: Pairs  # indices of joints
    keys: frozenset[Key]  # ids by which annotations and results name it


def choose(rows: Sequence[Row], annotations: Iterable[Row], wanted: Sequence[str], notes: Counter[str]) -> Category:
    """The category that is wanted, or else the one that has joints and annotations of them."""
    chosen = [_named(name, rows) for name in wanted] or [_usual(rows, annotations)]
    joints = [_names(row) for row in chosen]
    if differing := [row for row, names in zip(chosen, joints, strict=True) if names != joints[0]]:
        others = f"'{chosen[0].get('name')}' and '{differing[0].get('name')}'"
        raise ValueError(f"DATASET.CATEGORY: categories {others} have different joints; choose one")
    keys = frozenset(key(row["id"], "id") for row in chosen)
    name = str(chosen[0].get("name", "people"))
    return Category(chosen[0]["id"], name, joints[0], _limbs(chosen[0], len(joints[0]), notes), keys)


def _usual(rows: Sequence[Row], annotations: Iterable[Row]) -> Row:
    """The category that has joints and annotations of them; where none has, the likeliest."""
    people: Counter[Key] = Counter()
    for row in annotations:
        with suppress(KeyError, ValueError):  # said when the annotation is read
            people[key(row["category_id"], "category_id")] += bool(row.get("keypoints"))
    described = [row for row in rows if row.get("keypoints")]
    used = [row for row in rows if people[key(row["id"], "id")]]
    both = [row for row in described if row in used]
    candidates = both or described or used or rows
    if both[1:] or (candidates[1:] and all(row.get("name") != "person" for row in candidates)):
        names = ", ".join(f"'{row.get('name')}' ({people[key(row['id'], 'id')]} people)" for row in candidates)
        raise ValueError(f"several categories may be meant: {names}; choose with DATASET.CATEGORY")
    return next((row for row in candidates if row.get("name") == "person"), candidates[0])


def _named(name: str, rows: Sequence[Row]) -> Row:
    names = [str(row.get("name")) for row in rows]
    if name not in names:
        raise ValueError(f"DATASET.CATEGORY: no category '{name}'{nearest(name, names)}")
    return rows[names.index(name)]


def _names(category: Row) -> tuple[str, ...]:
    """Names of a category's joints."""
    names = category.get("keypoints") or []
    title = f"category '{category.get('name')}': keypoints"
    if not isinstance(names, list) or (odd := [name for name in names if not isinstance(name, str)]):
        got = short(odd[0] if isinstance(names, list) else names)
        raise ValueError(f"{title}: expected a list of the joints' names, got {got}")
    if twice := [name for name, number in Counter(names).items() if number > 1]:
        raise ValueError(f"{title}: several joints are called '{twice[0]}'; give each its own name")
    return tuple(names)


def _limbs(category: Row, joints: int, notes: Counter[str]) -> Pairs:
    """Limbs as indices; a file counts joints from 1, or from 0 if there is a 0. Those beyond the joints are another's.

    CrowdPose's own file has COCO's limbs.
    """
    limbs = category.get("skeleton") or []
    title = f"category '{category.get('name')}': skeleton"
    if not isinstance(limbs, list) or (odd := [limb for limb in limbs if not _is_pair(limb)]):
        form, got = (
            "expected pairs of the joints' numbers, counted from 1",
            odd[0] if isinstance(limbs, list) else limbs,
        )
        raise ValueError(f"{title}: {form}, got {short(got)}; DATASET.SKELETON.LIMBS gives them by name")
    first = 1
    if any(0 in limb for limb in limbs):
        first = 0
        notes["limbs, whose joints are counted from 0"] += len(limbs)
    return tuple((a - first, b - first) for a, b in limbs if max(a, b) - first < joints)


def _is_pair(limb: Any) -> bool:
    return isinstance(limb, list) and len(limb) == 2 and all(type(joint) is int and joint >= 0 for joint in limb)
