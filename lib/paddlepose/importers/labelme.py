"""labelme's folders, one JSON file an image: points named by joint, brought to people by `group_id` or by rectangles.

AnyLabeling and X-AnyLabeling write the same form; the latter marks a hidden joint as `difficult`. Files of labelme
before 4.0 have no `group_id`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paddlepose.core.fields import numbers, short
from paddlepose.core.files import entry, read_json
from paddlepose.importers import Found, LeftOut
from paddlepose.importers._gather import Box, Point, Sheet, gather, ordered
from paddlepose.importers._place import Place
from paddlepose.metrics.labels import objects

TITLE = "labelme"


def find(place: Place) -> list[Path]:
    """JSON files with shapes of an image."""
    return place.labels(".json", words=("shapes", "imagePath"))


def read(files: Sequence[Path], place: Place, wanted: Sequence[str]) -> Found:
    """People of the rectangles' category. Raises ValueError: a file is malformed; the message names it."""
    left_out, sheets = LeftOut(), []
    for path in files:
        content = read_json(path)
        with entry(str(path)):
            if (picture := place.picture(content["imagePath"], path)) is None:
                left_out.add("images that are missing", content["imagePath"])
                continue
            rows = objects("it", content["shapes"], "'shapes'")
            bodies = gather(list(_shapes(rows, left_out, picture.name)), wanted, left_out, picture.name)
            size = numbers(
                [content.get("imageWidth"), content.get("imageHeight")], 2, "imageWidth and imageHeight", nullable=True
            )
            sheets.append(Sheet(picture, bodies, None if np.isnan(size).any() else (int(size[0]), int(size[1]))))
    return ordered(TITLE, sheets, wanted, left_out)


def _shapes(rows: Sequence[Mapping[str, Any]], left_out: LeftOut, where: str) -> Iterator[Point | Box]:
    """The points and rectangles among an image's shapes; other kinds are counted."""
    for i, row in enumerate(rows):
        with entry(f"shape {i}"):
            kind, name, owner = row.get("shape_type") or "polygon", str(row["label"]), row.get("group_id")
            if not isinstance(owner, int | str | None):
                raise ValueError(f"group_id: expected a number or a text, got {short(owner)}")
            if kind not in ("point", "rectangle"):
                left_out.add("shapes that are neither points nor rectangles", where)
                continue
            points = numbers(row["points"], 2 * len(row["points"]), "points").reshape(-1, 2)
            if not len(points) or np.isnan(points).any():
                raise ValueError(f"points: expected x and y of each, got {short(row['points'])}")
            if kind == "point":
                yield Point(name, (*points[0].tolist(), 1 if row.get("difficult") is True else 2), owner)
            else:
                yield Box(name, tuple(points.min(0).tolist()), tuple(np.ptp(points, axis=0).tolist()), owner)
