"""Exports of labelling tools to one form: one file a tool, found by its name, with `find` and `read`.

`find(place)` gives the annotation files of a folder that are this tool's, `read(files, place, wanted)` what they hold;
`wanted` are the names of the categories to take, none for the usual one. `TITLE` is what messages call the tool.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.types import Pairs

# What exports call the parts of a set, and what they are called here.
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

IN_TWO_SPLITS = "images that two splits have"

_EXAMPLES = 5  # of what is left out

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Person:
    """One labelled person, or a crowd, in pixels of the image."""

    joints: Floats  # (K, 3) x, y, and 0 where the joint is not labelled, 1 where it is hidden, 2 where it is visible
    box: Floats | None = None  # (4,) x, y, width, height; None where the tool has none
    area: float | None = None  # of the outline, in square pixels
    crowd: bool = False
    outline: Any = None  # as COCO writes it


@dataclass(frozen=True, slots=True)
class Picture:
    """One image and who is labelled in it."""

    path: Path
    people: Sequence[Person]
    size: tuple[int, int] | None = None  # (width, height) on which the labels are drawn; None: that of the file
    split: str | None = None  # train, val or test, where the export says
    group: str | None = None  # images of one group belong into one split, where the export says which
    others: Sequence[Sequence[Person]] = ()  # the same people as others labelled them


@dataclass
class LeftOut:
    """What is not taken over: how often for each reason, and where first."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, reason: str, where: object = "", number: int = 1) -> None:
        """Count a reason, and keep where, if it is one of the first."""
        self.counts[reason] += number
        if number and str(where) and len(self.examples[reason]) < _EXAMPLES:
            self.examples[reason].append(str(where))

    def lines(self) -> list[str]:
        """One line for each reason, the most frequent first."""
        rows = []
        for reason, number in self.counts.most_common():
            seen = ", ".join(self.examples[reason]) + (", ..." if number > len(self.examples[reason]) else "")
            rows += [f"{number:,} {reason}" + (f": {seen}" if self.examples[reason] else "")] if number else []
        return rows


@dataclass(frozen=True)
class Found:
    """What the files of an export hold."""

    tool: str
    category: str
    joints: tuple[str, ...]  # their names
    pictures: Sequence[Picture]
    limbs: Pairs = ()  # indices of joints
    flip_pairs: Pairs | None = None  # None: as the joints' names tell
    has_names: bool = True  # the joints' names are the tool's, not made up
    upright: bool = True  # labels are drawn on images that are turned as their EXIF data say
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: Counter[str] = field(default_factory=Counter)  # what was put in place of what the export lacks


def merged(pictures: Iterable[Picture], notes: Counter[str]) -> list[Picture]:
    """Each image once; the people of a second one with the same file are another view of it, if they differ."""
    found: dict[Path, Picture] = {}
    for picture in pictures:
        first = found.get(picture.path)
        if first is None or not first.people:
            found[picture.path] = picture
        elif picture.people:
            same = len(first.people) == len(picture.people) and all(
                np.array_equal(one.joints, other.joints)
                for one, other in zip(first.people, picture.people, strict=True)
            )
            notes["images that are labelled twice alike"] += same
            notes[IN_TWO_SPLITS] += first.split != picture.split
            split = first.split if first.split == picture.split else None
            others = first.others if same else (*first.others, picture.people)
            found[picture.path] = replace(first, split=split, others=others)
    return list(found.values())


def split_of(name: str) -> str | None:
    """The split that a word of a name says: `person_keypoints_train2017` is of the training split."""
    return next((SPLITS[word] for word in re.findall("[a-z]+", name.lower()) if word in SPLITS), None)
