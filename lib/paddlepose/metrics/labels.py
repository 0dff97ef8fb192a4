"""COCO's annotation format, read once for training and for measuring: the same people, boxes and joints for both."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.boxes import box_around
from paddlepose.core.fields import Key, key, numbers, short
from paddlepose.core.files import entry, read_json
from paddlepose.metrics._category import Category, Row, choose

Floats = NDArray[np.float64]

OUTLINE_SHARE = 0.53  # of its box, the area of a person whose outline is not labelled (CrowdPose's evaluation)

_MOST_SIDE = 2**31  # pixels of an image that has a file
_BOX = 4  # numbers: x, y, width, height
_LEAST_POLYGON = 6  # numbers: x and y of three points
_MOST_PLACE = 1e6  # pixels from the image's corner that a point of a polygon is away


@dataclass(frozen=True, slots=True)
class Image:
    """One image of an annotation file."""

    id: Any  # as the file writes it
    file_name: str | None
    size: tuple[int, int] | None  # (width, height) on which its labels are drawn, where the file has it
    crowd_index: float | None  # how much its people overlap, CrowdPose's measure


@dataclass(frozen=True, slots=True)
class Annotation:
    """One labelled person, or a crowd, in pixels of the image."""

    image: int  # its number
    joints: Floats  # (K, 3) x, y and visibility, which is 0 where the joint is not labelled
    box: Floats  # (4,) x, y, width, height
    area: float  # of the outline, in square pixels
    crowd: bool  # the box holds a group
    outline: Any  # polygons or run lengths, as COCO writes them; None where there is none

    @property
    def labelled(self) -> bool:
        """Whether any joint is."""
        return bool((self.joints[:, 2] > 0).any())


@dataclass(frozen=True)
class Labels:
    """The content of an annotation file."""

    name: str  # of the file
    category: Category
    count: int  # joints of a person, K; 0 where the file does not say
    images: Mapping[int, Image]  # by number, in the file's order
    numbers: Mapping[Key, int]  # of images by id
    annotations: list[Annotation] = field(default_factory=list)  # of the category
    left_out: Counter[str] = field(default_factory=Counter)  # annotations that are not among these, by reason
    notes: Counter[str] = field(default_factory=Counter)  # what was put in place of what the file lacks

    def number(self, image_id: Any) -> int:
        """The number of the image with an id. Raises ValueError: there is none."""
        number = self.numbers.get(key(image_id, "image_id"))
        if number is None:
            raise ValueError(f"the labels have no image {short(image_id)}")
        return number


def read(gt: Path | Mapping[str, Any], categories: Sequence[str] = (), joints: int = 0) -> Labels:
    """Labels from an annotation file, or from its content.

    Args:
        gt: the file, or its content.
        categories: names of those to take, of the same joints; by default the one that has joints and annotations.
        joints: of a person, where neither the category nor an annotation says.

    Raises OSError: the file cannot be read; ValueError: it is not in COCO's format; the message names the entry.
    """
    content, name = (read_json(gt), str(gt)) if isinstance(gt, Path) else (gt, "gt")
    for title in ("images", "categories"):
        if not isinstance(content, Mapping) or not content.get(title):
            raise ValueError(f"{name}: has no '{title}'; COCO's format is an object of images, annotations, categories")
    rows = objects(name, content.get("annotations") or [], "'annotations'")
    notes: Counter[str] = Counter()
    with entry(name):
        category = choose(objects(name, content["categories"], "'categories'"), rows, categories, notes)
    images, numbers = _images(name, objects(name, content["images"], "'images'"))
    notes["images' sizes taken from their files"] += sum(image.size is None for image in images.values())
    labels = Labels(name, category, len(category.joints) or _joint_count(rows) or joints, images, numbers, notes=notes)
    has_areas = any(isinstance(area := row.get("area"), int | float) and area > 0 for row in rows)
    for i, row in enumerate(rows):
        with entry(f"{name}: annotation {short(row.get('id', i))}"):
            if (made := _annotation(row, labels, has_areas=has_areas)) is not None:
                labels.annotations.append(made)
    return labels


def objects(name: str, rows: Any, title: str) -> Sequence[Row]:
    """`rows`, if they are a list of objects. Raises ValueError: they are not; with the file's name and their title."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{name}: {title}: expected a list of objects")
    return rows


def summary(counts: Counter[str]) -> str:
    """Counts by what they count, as words: `12 crowds, 3 without a labelled joint`."""
    return ", ".join(f"{number:,} {reason}" for reason, number in counts.most_common() if number)


def _images(name: str, rows: Iterable[Row]) -> tuple[dict[int, Image], dict[Key, int]]:
    """Images by number, and their numbers by id. An id that is a whole number is the image's number, others get one."""
    keys: dict[Key, Row] = {}
    for i, row in enumerate(rows):
        with entry(f"{name}: image {short(row.get('file_name') or i)}"):
            found = key(row["id"], "id")
            if found in keys:
                other = keys[found].get("file_name")
                raise ValueError(f"its id {short(row['id'])} is also that of {short(other)}; give each its own")
            keys[found] = row
    free = count(1 + max((found for found in keys if isinstance(found, int)), default=0))
    by_id = {found: found if isinstance(found, int) else next(free) for found in keys}
    images = {}
    for found, row in keys.items():
        with entry(f"{name}: image {short(row['id'])}"):
            images[by_id[found]] = _image(row)
    return images, by_id


def _image(row: Row) -> Image:
    file_name, crowd_index = row.get("file_name"), row.get("crowdIndex")
    if not isinstance(file_name, str | None):
        raise ValueError(f"file_name: expected a text, got {short(file_name)}")
    if crowd_index is not None:
        crowd_index = float(numbers(crowd_index, 1, "crowdIndex")[0])
    size = numbers([row.get("width"), row.get("height")], 2, "width and height", nullable=True)
    whole = (size > 0).all() and (size == size.round()).all() and (size < _MOST_SIDE).all()
    return Image(row["id"], file_name, (int(size[0]), int(size[1])) if whole else None, crowd_index)


def _annotation(row: Row, labels: Labels, *, has_areas: bool) -> Annotation | None:
    """One annotation, if it is of the category and says anything; otherwise it is counted."""
    if key(row["category_id"], "category_id") not in labels.category.keys:
        labels.left_out["of other categories"] += 1
        return None
    image, joints = labels.number(row["image_id"]), _joints(row.get("keypoints"), labels.count)
    shown = joints[joints[:, 2] > 0, :2]
    box = numbers(row.get("bbox") or [0, 0, 0, 0], _BOX, "bbox")
    if not box.any() and not len(shown):
        labels.left_out["without joints and without a box"] += 1
        return None
    if not row.get("bbox"):
        box = box_around(shown)
        labels.notes["boxes taken from the joints"] += 1
    area = float(numbers(row.get("area"), 1, "area", nullable=True)[0])
    if np.isnan(area) or not has_areas:
        area = OUTLINE_SHARE * float(box[2] * box[3])
        labels.notes["areas taken from the boxes"] += 1
    crowd = row.get("iscrowd")
    if crowd not in (None, 0, 1):
        raise ValueError(f"iscrowd: expected 0 or 1, got {short(crowd)}")
    outline = row.get("segmentation") or None
    if outline is not None and not _is_outline(outline, labels.images[image].size):
        labels.notes["outlines left out, which are neither polygons nor run lengths of the image's size"] += 1
        outline = None
    return Annotation(image, joints, box, area, bool(crowd), outline)


def _joints(value: Any, joints: int) -> Floats:
    """Joints (K, 3); those whose place or visibility is null are not labelled."""
    if not value:
        return np.zeros((joints, 3))
    title = f"keypoints, x, y and visibility of each of {joints} joints"
    made = numbers(value, 3 * joints, title, nullable=True).reshape(joints, 3)
    made[np.isnan(made).any(1)] = 0
    return made


def _is_outline(value: Any, image_size: tuple[int, int] | None) -> bool:
    """Whether it is polygons of three points or more, or run lengths that fill an image of this size."""
    if isinstance(value, list):
        return all(
            isinstance(polygon, list) and len(polygon) >= _LEAST_POLYGON and _are_numbers(polygon) for polygon in value
        )
    size, counts = (value.get("size"), value.get("counts")) if isinstance(value, dict) else (None, None)
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int for side in size):
        return False
    fits = image_size is None or tuple(size) == image_size[::-1]
    return fits and (isinstance(counts, str) or _fills(counts, size[0] * size[1]))


def _fills(counts: Any, pixels: int) -> bool:
    return isinstance(counts, list) and all(type(run) is int and run >= 0 for run in counts) and sum(counts) == pixels


def _are_numbers(polygon: Sequence[Any]) -> bool:
    """Whether the polygon is an x and a y for each of its points."""
    return len(polygon) % 2 == 0 and all(type(value) in (int, float) and abs(value) < _MOST_PLACE for value in polygon)


def _joint_count(rows: Iterable[Row]) -> int:
    """Joints of the first annotation that has any."""
    flat = (np.ravel(row["keypoints"]).size for row in rows if isinstance(row.get("keypoints"), list))
    return next((size // 3 for size in flat if size), 0)
