"""Joints that a tool has as single points, brought together to people; people's joints brought into one order."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from paddlepose.core.types import Pairs
from paddlepose.datasets._skeleton import COCO
from paddlepose.importers import Found, LeftOut, Person, Picture, merged

Joint = tuple[float, float, int]  # x, y in pixels, and 1 hidden or 2 visible

PEOPLE = "person"  # what a category is called that has no name


@dataclass(frozen=True, slots=True)
class Point:
    """A joint by itself."""

    name: str
    joint: Joint
    owner: Hashable = None  # what it shares with the other joints and the box of its person


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    name: str
    corner: tuple[float, float]  # left, top
    size: tuple[float, float]
    owner: Hashable = None

    def holds(self, joint: Joint) -> bool:
        """Whether a joint lies within."""
        return all(a <= x <= a + w for x, a, w in zip(joint, self.corner, self.size, strict=False))


@dataclass(slots=True)
class Body:
    """A person whose joints have names, but no order yet."""

    joints: dict[str, Joint] = field(default_factory=dict)
    category: str | None = None
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """An image and the people whose joints have no order yet."""

    path: Path
    bodies: Sequence[Body]
    size: tuple[int, int] | None = None
    split: str | None = None
    others: Sequence[Sequence[Body]] = ()


def gather(shapes: Sequence[Point | Box], wanted: Sequence[str], left_out: LeftOut, where: str) -> list[Body]:
    """People of one image: points that share an owner, or lie in one box, or are all there is.

    A point without an owner that lies in several boxes (of the `wanted` categories, if there are any) is nobody's.
    """
    points = [shape for shape in shapes if isinstance(shape, Point)]
    boxes = [shape for shape in shapes if isinstance(shape, Box)]
    owned = {box.owner: box for box in boxes if box.owner is not None}
    bodies: dict[Hashable, Body] = {}
    loose = []
    for point in points:
        if point.owner is not None:
            _put(bodies.setdefault(point.owner, _body(owned.get(point.owner))), point, left_out, where)
        elif boxes:
            around = [box for box in boxes if box.holds(point.joint) and (not wanted or box.name in wanted)]
            if len(around) == 1:
                key = id(around[0]) if around[0].owner is None else around[0].owner
                _put(bodies.setdefault(key, _body(around[0])), point, left_out, where)
            else:
                left_out.add("joints in several boxes, grouped with none" if around else "joints in no box", where)
        else:
            loose.append(point)
    if loose and not bodies and len({point.name for point in loose}) == len(loose):
        bodies[None] = Body({point.name: point.joint for point in loose})
    elif loose:
        left_out.add("joints of several people that are neither grouped nor in boxes", where, len(loose))
    left_out.add("boxes without joints", where, len(boxes) - sum(body.box is not None for body in bodies.values()))
    return list(bodies.values())


def _body(box: Box | None) -> Body:
    return Body(category=box.name, box=(*box.corner, *box.size)) if box else Body()


def _put(body: Body, point: Point, left_out: LeftOut, where: str) -> None:
    if point.name in body.joints:
        left_out.add("joints that a person already has", where)
    else:
        body.joints[point.name] = point.joint


def choose(counts: Mapping[str, int], wanted: Sequence[str], where: object) -> frozenset[str]:
    """The categories to take, of people counted by category. Raises ValueError: it is not clear which."""
    listed = ", ".join(f"'{name}' ({number} people)" for name, number in counts.items())
    if counts and (strangers := [name for name in wanted if name not in counts]):
        raise ValueError(f"{where}: no people of category '{strangers[0]}'; there are: {listed}")
    if not wanted and len(counts) > 1:
        raise ValueError(f"{where}: several categories may be meant: {listed}; choose with --category")
    return frozenset(wanted or counts)


def ordered(
    tool: str,
    sheets: Sequence[Sheet],
    wanted: Sequence[str],
    left_out: LeftOut,
    *,
    skeleton: tuple[Sequence[str], Pairs] = ((), ()),
) -> Found:
    """The people of the chosen category, with their joints in the order of a `skeleton` of names and limbs.

    Without names COCO's joints get COCO's order, others that in which they are met. Bodies without a category are
    of the one that there is.
    """
    bodies = [body for sheet in sheets for group in (sheet.bodies, *sheet.others) for body in group]
    counts = Counter(body.category for body in bodies if body.category)
    taken = choose(counts, wanted, tool)
    names = tuple(skeleton[0]) or _order(bodies, taken)

    def people(group: Sequence[Body], where: str) -> list[Person]:
        chosen = [body for body in group if body.category in taken or not body.category]
        left_out.add("people of other categories", where, len(group) - len(chosen))
        return [_person(body, names) for body in chosen]

    pictures = []
    for sheet in sheets:
        first, *others = (people(group, sheet.path.name) for group in (sheet.bodies, *sheet.others))
        pictures.append(Picture(sheet.path, first, sheet.size, sheet.split, others=others))
    notes: Counter[str] = Counter()
    category = min(taken, default=PEOPLE)
    return Found(tool, category, names, merged(pictures, notes), skeleton[1], left_out=left_out, notes=notes)


def _order(bodies: Iterable[Body], taken: frozenset[str]) -> tuple[str, ...]:
    chosen = (body for body in bodies if body.category in taken or not body.category)
    names = list(dict.fromkeys(name for body in chosen for name in body.joints))
    return tuple(sorted(names, key=COCO.joints.index) if set(names) <= set(COCO.joints) else names)


def _person(body: Body, names: Sequence[str]) -> Person:
    joints = np.array([body.joints.get(name, (0, 0, 0)) for name in names], np.float64).reshape(-1, 3)
    return Person(joints, None if body.box is None else np.array(body.box, np.float64))
