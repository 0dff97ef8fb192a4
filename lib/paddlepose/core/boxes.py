"""Where the people of a picture are: boxes given by hand, boxes of a detector's file, or the whole picture.

Boxes are rows (N, 5) of x, y, width, height in pixels of the picture, and a score.
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.fields import Key, key, numbers, short
from paddlepose.core.files import entry, read_json
from paddlepose.core.types import Poses

Row = list[float]
Rows = NDArray[np.float64]

_PERSON = 1  # COCO's category
_WITH_SCORE = 5  # numbers of a box and its score

# Of a bottom-up network's people.
_LEAST_SCORE = 0.1  # of a person, and of a joint: below it is a guess that may lie anywhere
_FEWEST = 3  # joints that make a box; whoever has fewer of that score gets a box around all joints
_MARGIN = 0.1  # of the joints' extent, on each side: so far do COCO's boxes go beyond people's outermost joints

_LOG = logging.getLogger(__name__)


def parse_box(text: str) -> Row:
    """Row of a box written `x,y,width,height`; its score is 1.

    Raises ValueError: these are not four numbers with a width and a height above 0.
    """
    with suppress(ValueError):
        x, y, width, height = map(float, text.split(","))
        if np.isfinite([x, y, width, height]).all() and width > 0 and height > 0:
            return [x, y, width, height, 1.0]
    raise ValueError(f"--bbox {text}: expected x,y,width,height in pixels, with width and height above 0")


def read_boxes(path: Path, least_score: float) -> dict[Key, list[Row]]:
    """Rows of people's boxes by a picture's file name or number, from a JSON file in one of three forms.

    - COCO's list of detections, `[{"image_id": 785, "bbox": [x, y, w, h], "score": 0.9}]`, where `file_name` may stand
      for `image_id`; people are category 1, or 0 in a file that counts categories from 0;
    - `{"a.jpg": [[x, y, w, h]]}`, where `[x, y, w, h, score]` or `{"bbox": [x, y, w, h], "score": 0.9}` may be a box;
    - an annotation file of COCO.

    Boxes of other categories and those below `least_score` are left out and counted in the log.

    Raises OSError: it cannot be opened; ValueError: it is no JSON, or of another form, or its boxes are not in pixels.
    """
    content = read_json(path)
    rows: dict[Key, list[Row]] = defaultdict(list)
    left_out: Counter[str] = Counter()
    items, people = _items(content, path)
    for title, picture, item in items:
        with entry(f"{path}: {title}"):
            if isinstance(item, Mapping) and key(item.get("category_id", people), "category_id") != people:
                left_out["of other categories"] += 1
                continue
            row = _row(item)
            if row[4] < least_score:
                left_out[f"with a score below {least_score}"] += 1
            else:
                rows[_name(picture)].append(row)
    if left_out:
        _LOG.info("%s: boxes left out: %s", path, ", ".join(f"{number} {why}" for why, number in left_out.items()))
    sides = [side for boxes in rows.values() for row in boxes for side in row[:4]]
    if sides and max(map(abs, sides)) <= 1:
        raise ValueError(f"{path}: all its boxes lie between 0 and 1; expected x, y, width and height in pixels")
    return dict(rows)


def _items(content: Any, path: Path) -> tuple[list[tuple[str, Any, Any]], Key]:
    """A title, the name or number of the picture, and the box, for each box of a file; and the category of people."""
    if isinstance(content, Mapping) and isinstance(content.get("annotations"), list):
        content = _detections(content, path)
    if isinstance(content, Mapping):
        boxes = [(name, items if isinstance(items, list) else [items]) for name, items in content.items()]
        return [(f"box {i} of '{name}'", name, item) for name, items in boxes for i, item in enumerate(items)], _PERSON
    if not isinstance(content, list) or not all(isinstance(item, Mapping) for item in content):
        raise ValueError(
            f"{path}: expected COCO's detections or {{'a.jpg': [[x, y, w, h], ...]}}, got {short(content)}"
        )
    from_zero = any(item.get("category_id") in (0, "0") for item in content)
    titled = [(f"box {i}", item.get("file_name", item.get("image_id")), item) for i, item in enumerate(content)]
    return titled, 0 if from_zero else _PERSON


def _detections(content: Mapping[str, Any], path: Path) -> list[Any]:
    """The boxes of an annotation file as detections, people's as category 1."""
    with entry(f"{path}: an annotation file"):
        names = {key(image["id"], "id"): image.get("file_name", image["id"]) for image in content["images"]}
        people = {key(row["id"], "id") for row in content["categories"] if row.get("name") == "person"}
        people = people or {key(row["id"], "id") for row in content["categories"] if row.get("keypoints")}
        return [
            {"file_name": names[key(row["image_id"], "image_id")], "bbox": row["bbox"]}
            | {"category_id": _PERSON if key(row["category_id"], "category_id") in people else -1}
            for row in content["annotations"]
            if row.get("bbox")
        ]


def _name(picture: Any) -> Key:
    """By what a picture is known: its number, or its file name with `/` between folders."""
    name = key(picture, "image_id")
    return name.replace("\\", "/") if isinstance(name, str) else name


def _row(item: Any) -> Row:
    box, score = (item.get("bbox"), item.get("score", 1.0)) if isinstance(item, Mapping) else (item, 1.0)
    if isinstance(box, list) and len(box) == _WITH_SCORE:
        *box, score = box
    return [*numbers(box, 4, "box of x, y, width, height").tolist(), *numbers(score, 1, "score").tolist()]


def boxes_around(poses: Poses) -> Rows:
    """Boxes (N, 5) of the people whom a bottom-up network found, with their scores; doubtful ones are left out."""
    rows = []
    for xy, scores, score in poses[poses.score > _LEAST_SCORE]:
        shown = scores > _LEAST_SCORE
        joints = xy[shown] if shown.sum() >= _FEWEST else xy
        rows.append([*box_around(joints), score])
    return np.array(rows).reshape(-1, 5)


def box_around(joints: NDArray[np.floating]) -> NDArray[np.float64]:
    """Box (4,) of x, y, width, height around joints (N, 2), with a margin as in COCO's labels."""
    size = np.ptp(joints, axis=0).clip(1)
    return np.concatenate([joints.min(0) - _MARGIN * size, (1 + 2 * _MARGIN) * size], dtype=np.float64)


@dataclass(frozen=True)
class BoxSource:
    """The boxes of each picture: from a file's rows, else the same ones everywhere, else the whole picture."""

    same: Sequence[Row] = ()  # for every picture
    by_picture: Mapping[Key, Sequence[Row]] | None = None  # what `read_boxes` gave

    def __call__(self, path: Path, picture_size: tuple[int, int]) -> Rows:
        """Boxes (N, 5) in the picture at `path` of (width, height); what shows nothing of it is logged and left out."""
        boxes = np.array(self._rows(path, picture_size), np.float64).reshape(-1, 5)
        start, size = boxes[:, :2], boxes[:, 2:4]
        usable = np.isfinite(boxes).all(1) & ((size > 0) & (start < picture_size) & (start + size > 0)).all(1)
        for box in boxes[~usable, :4].tolist():
            _LOG.warning("%s: box %s left out: it shows nothing of the %dx%d pixels", path, box, *picture_size)
        return boxes[usable]

    def _rows(self, path: Path, picture_size: tuple[int, int]) -> Sequence[Row]:
        if self.by_picture is None:
            return self.same or [[0.0, 0.0, *picture_size, 1.0]]
        for name in _names(path):
            if name in self.by_picture:
                return self.by_picture[name]
        other = next(iter(self.by_picture), None)
        known = (
            f"it has boxes of {len(self.by_picture)} others, such as {other!r}" if self.by_picture else "it has none"
        )
        _LOG.warning("%s: the file of boxes has none of this picture: %s", path, known)
        return ()


def _names(path: Path) -> Iterator[Key]:
    """Names by which a file of boxes may call a picture: its path with ever fewer folders, its stem, its number."""
    yield str(path.resolve())
    yield from ("/".join(path.parts[start:]) for start in range(len(path.parts)))
    yield path.stem
    if number := re.search(r"\d+$", path.stem):
        yield int(number[0])
