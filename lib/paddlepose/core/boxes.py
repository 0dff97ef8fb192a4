"""Where the people of a picture are: boxes given by hand, boxes of a detector's file, or the whole picture.

Boxes are rows (N, 5) of x, y, width, height in pixels of the picture, and a score.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.files import read_json
from paddlepose.core.types import Poses

Row = list[float]
Rows = NDArray[np.float64]

_PERSON = 1  # COCO's category

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


def read_boxes(path: Path, least_score: float) -> dict[str | int, list[Row]]:
    """Rows of people's boxes by a picture's file name or number, from a JSON file in one of two forms.

    COCO's list of detections, `[{"image_id": 785, "bbox": [x, y, w, h], "score": 0.9}]`, where `file_name` may stand
    for `image_id`, or `{"a.jpg": [[x, y, w, h]]}`, where `{"bbox": [x, y, w, h], "score": 0.9}` may stand for a box.

    Raises OSError: it cannot be opened; ValueError: it is no JSON, or of another form.
    """
    content = read_json(path)
    rows: dict[str | int, list[Row]] = defaultdict(list)
    try:
        for picture, item in _items(content):
            if (row := _row(item))[4] >= least_score:
                rows[picture].append(row)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        forms = "COCO's detections or {'a.jpg': [[x, y, w, h], ...]}"
        raise ValueError(f"{path}: expected {forms}, got {error!r}") from error
    return dict(rows)


def _items(content: Any) -> Iterator[tuple[str | int, Any]]:
    """Name or number of the picture and the box, for each box of a person."""
    if isinstance(content, dict):
        yield from ((name, item) for name, items in content.items() for item in items)
        return
    for item in content:
        if item.get("category_id", _PERSON) == _PERSON:
            yield item.get("file_name") or item["image_id"], item


def _row(item: Any) -> Row:
    box, score = (item["bbox"], item.get("score", 1.0)) if isinstance(item, dict) else (item, 1.0)
    x, y, width, height = map(float, box)
    return [x, y, width, height, float(score)]


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
    by_picture: Mapping[str | int, Sequence[Row]] | None = None  # what `read_boxes` gave

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
        _LOG.warning("%s: the file of boxes has none for it with a sufficient score", path)
        return ()


def _names(path: Path) -> Iterator[str | int]:
    """Names by which a file of boxes may call a picture: with ever fewer folders, then the number in its name."""
    yield from ("/".join(path.parts[start:]) for start in range(len(path.parts)))
    if number := re.search(r"\d+$", path.stem):
        yield int(number[0])
