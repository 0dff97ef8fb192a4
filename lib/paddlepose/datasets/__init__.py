"""Annotation files to image records: one file a data set, with `skeleton`, `records` and `metric` of a `Source`.

One that has whole pictures for bottom-up networks has `pictures` and `picture_metric` too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Source:
    """One split of a data set on disk."""

    root: Path  # the data set's folder
    split: str  # the name of the part, as in the annotation file's name
    aspect: float  # width / height of the regions that people get
    archive: bool = False  # the pictures are in zip archives
    detections: Path | None = None  # read people's boxes from this file, not from the labels
    least_score: float = 0.0  # of a detection that is kept
    category: tuple[str, ...] = ()  # of COCO's format: names of the categories of people; by default it is found
    allow_outside: bool = False  # read pictures whose names lead out of the data set's folder
    # fields of the skeleton that replace those of the data set, joints by name: joints, limbs, flip_pairs, upper_body,
    # sigmas, weights
    skeleton: Mapping[str, Sequence[Any]] = field(default_factory=dict)
