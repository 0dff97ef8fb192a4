"""An annotation file in COCO's format: which file it is, and what it says of images and joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddlepose.core.files import entry, read_json
from paddlepose.core.types import Skeleton
from paddlepose.datasets import Source, _disk, _skeleton

Row = Mapping[str, Any]

# Of joints that no evaluator has measured: between COCO's eyes (0.025) and hips (0.107).
DEFAULT_SIGMA = 0.05


@dataclass(frozen=True)
class CocoFile:
    """The content of an annotation file.

    Attributes:
        path: of the file.
        category: the number of the category of people.
        skeleton: of that category.
        images: by number, in the file's order.
        annotations: of all categories; none in a test split without labels.
    """

    path: Path
    category: int
    skeleton: Skeleton
    images: Mapping[int, Row]
    annotations: Sequence[Row]


def exists(source: Source) -> bool:
    """Whether the split has an annotation file."""
    return any((source.root / name).is_file() for name in _names(source.split))


def read(source: Source) -> CocoFile:
    """The annotation file of a split.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not in COCO's format, or the source's skeleton does not fit its joints.
    """
    path = _disk.find_labels(source.root, *_names(source.split))
    content = read_json(path)
    for key in ("images", "categories"):
        if not isinstance(content, dict) or not content.get(key):
            raise ValueError(f"{path}: has no '{key}'; COCO's format is an object of images, annotations, categories")
    for key in ("images", "categories", "annotations"):
        objects(path, content.get(key, []), f"'{key}'")
    categories = content["categories"]
    category = next((category for category in categories if category.get("name") == "person"), categories[0])
    with entry(f"{path}: an image"):
        images = {image["id"]: image for image in content["images"]}
    with entry(f"{path}: category {category}"):
        number = category["id"]
    return CocoFile(path, number, _described(path, category, source), images, content.get("annotations", ()))


def objects(path: Path, rows: Any, title: str) -> Sequence[Row]:
    """`rows`, if they are a list of objects.

    Raises:
        ValueError: they are not; the message has the file and their title.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path}: {title}: expected a list of objects")
    return rows


def _names(split: str) -> list[str]:
    """Names that the annotation file may have, COCO's own first; COCO's test splits have images without labels."""
    names = [f"person_keypoints_{split}", split]
    return [f"annotations/{name}.json" for name in ([f"image_info_{split}", *names] if "test" in split else names)]


def _described(path: Path, category: Row, source: Source) -> Skeleton:
    """The skeleton of a category; its limbs count joints from 1, and those beyond its joints are another's."""
    joints = category.get("keypoints") or source.skeleton.get("joints")
    if not joints and "test" in source.split:
        joints = _skeleton.COCO.joints
    name = category.get("name", "people")
    if not joints:
        raise ValueError(f"{path}: category '{name}' has no 'keypoints', the list of its joints' names")
    limbs = tuple((a - 1, b - 1) for a, b in category.get("skeleton", ()) if 0 < min(a, b) and max(a, b) <= len(joints))
    return _skeleton.build(name, joints, limbs, source.skeleton, sigma=DEFAULT_SIGMA)
