"""An annotation file in COCO's format: which file it is, and what it says of images and joints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddlepose.core.files import entry, read_json
from paddlepose.core.types import Skeleton
from paddlepose.datasets import Source, _disk, _skeleton

Row = Mapping[str, Any]

DEFAULT_SIGMA = 0.05  # of joints that no evaluator has measured: between COCO's eyes (0.025) and hips (0.107)


@dataclass(frozen=True)
class CocoFile:
    """The content of an annotation file."""

    path: Path
    category: int  # the number of the category of people
    skeleton: Skeleton  # of that category
    images: Mapping[int, Row]  # by number, in the file's order
    annotations: Sequence[Row]  # of all categories; none in a test split without labels

    def size(self, number: int) -> tuple[int, int]:
        """Width and height of an image, in pixels. Raises KeyError: the file does not say."""
        return self.images[number]["width"], self.images[number]["height"]


def read(source: Source) -> CocoFile:
    """The annotation file of a split.

    Raises FileNotFoundError: there is none; ValueError: it is not in COCO's format, or the source's skeleton does not
    fit its joints.
    """
    names = [f"annotations/{kind}{source.split}.json" for kind in ("person_keypoints_", "")]
    if source.split.startswith("test"):
        names.insert(0, f"annotations/image_info_{source.split}.json")  # COCO's test splits have images without labels
    path = _disk.find_labels(source.root, *names, f"json/crowdpose_{source.split}.json")
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
    """`rows`, if they are a list of objects. Raises ValueError: they are not; with the file and their title."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path}: {title}: expected a list of objects")
    return rows


def _described(path: Path, category: Row, source: Source) -> Skeleton:
    """The skeleton of a category; its limbs count joints from 1, and those beyond its joints are another's."""
    joints = category.get("keypoints") or source.skeleton.get("joints")
    if not joints and source.split.startswith("test"):
        joints = _skeleton.COCO.joints
    name = category.get("name", "people")
    if not joints:
        raise ValueError(f"{path}: category '{name}' has no 'keypoints', the list of its joints' names")
    limbs = tuple((a - 1, b - 1) for a, b in category.get("skeleton", ()) if 0 < min(a, b) and max(a, b) <= len(joints))
    return _skeleton.build(name, joints, limbs, source.skeleton, sigma=DEFAULT_SIGMA)
