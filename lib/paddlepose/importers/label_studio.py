"""Label Studio's JSON: key points and rectangles in percent of the image, brought to people by their links.

A link is a rectangle as a key point's parent (`parentID`) or a relation between regions; without links a joint belongs
to the rectangle around it. Read are the full export (`annotations`; `completions` before 1.0), of many tasks or of
one, and JSON-MIN. Several annotations of a task are several people's views of the same image.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

import numpy as np

from paddlepose.core.fields import numbers, short
from paddlepose.core.files import entry, read_json
from paddlepose.importers import Found, LeftOut
from paddlepose.importers._facts import upright_size
from paddlepose.importers._gather import Box, Point, Sheet, gather, ordered
from paddlepose.importers._place import Place
from paddlepose.metrics.labels import objects

TITLE = "Label Studio"

Region = dict[str, Any]

_LABELS = ("keypointlabels", "rectanglelabels", "labels")
_IMAGE = re.compile(r"\.(jpe?g|png|bmp|webp|tiff?)\b", re.I)
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what the tool puts before the name of an uploaded file


def find(place: Place) -> list[Path]:
    """JSON files with key points."""
    return place.labels(".json", words=("keypointlabels",)) or place.labels(".json", words=("keypoint", "result"))


def read(files: Sequence[Path], place: Place, wanted: Sequence[str]) -> Found:
    """People of the rectangles' category, as the first annotation of each task has them, or that marked as true.

    Raises ValueError: a file is malformed; the message names the task.
    """
    left_out, sheets = LeftOut(), []
    for path in files:
        content = read_json(path)
        for task in objects(str(path), content if isinstance(content, list) else [content], "the tasks"):
            with entry(f"{path}: task {short(task.get('id'))}"):
                sheets += [sheet] if (sheet := _sheet(task, place, path, left_out, wanted)) else []
    return ordered(TITLE, sheets, wanted, left_out)


def _sheet(task: Mapping[str, Any], place: Place, path: Path, left_out: LeftOut, wanted: Sequence[str]) -> Sheet | None:
    """The image of a task and its people; None, and counted, if it cannot be used."""
    views = _views(task, left_out)
    regions = [region for view in views for region in view.values()]
    names = list(_image_names(task.get("data", task)))
    picture = next((found for name in names if (found := place.picture(name, path))), None)
    if picture is None:
        left_out.add("images that are missing", names[0])
        return None
    if any(region.get("image_rotation") for region in regions):
        left_out.add("images that were turned in Label Studio", picture.name)
        return None
    stated = {(region.get("original_width"), region.get("original_height")) for region in regions}
    known = len(stated) == 1 and None not in (size := next(iter(stated)))
    size = tuple(map(int, numbers(size, 2, "original_width and height"))) if known else upright_size(picture, left_out)
    if size is None:
        return None
    name = picture.name
    people = [gather(list(_shapes(view, size, left_out, name)), wanted, left_out, name) for view in views]
    return Sheet(picture, people[0] if people else [], size, others=people[1:])


def _image_names(data: Mapping[str, Any]) -> Iterator[str]:
    """Paths by which the image of a task may be known: of an upload, a local file, a bucket or an address."""
    texts = [
        value for key, value in sorted(data.items(), key=lambda item: item[0] != "image") if isinstance(value, str)
    ]
    text = next((text for text in texts if _IMAGE.search(text)), data.get("image"))
    if not isinstance(text, str):
        raise ValueError("its 'data' name no image")
    address = urlparse(text)
    name = parse_qs(address.query).get("d", [address.path])[0] if "?d=" in text or "://" in text else text
    for path in (name, unquote(name)):
        yield path
        yield _UPLOADED.sub("", PurePosixPath(path).name)


def _views(task: Mapping[str, Any], left_out: LeftOut) -> list[dict[Any, Region]]:
    """Regions by id of each person's annotation of a task: the one to take first."""
    kept = task.get("annotations", task.get("completions"))
    if kept is None:  # JSON-MIN has the regions of each control in a list of its own, without ids
        flat = [row for value in task.values() if isinstance(value, list) for row in value if isinstance(row, dict)]
        return [{i: row for i, row in enumerate(flat) if any(key in row for key in _LABELS)}]
    done = [one for one in objects("task", kept, "'annotations'") if not one.get("was_cancelled")]
    left_out.add("annotations that were skipped", number=len(kept) - len(done))
    done.sort(key=lambda one: (not one.get("ground_truth"), not one.get("result")))
    return [_regions(objects("annotation", one.get("result") or [], "'result'")) for one in done]


def _regions(rows: Sequence[Mapping[str, Any]]) -> dict[Any, Region]:
    """Regions by id, each with the values of all rows of that id, and the ids of those that it is linked with."""
    regions: dict[Any, Region] = defaultdict(lambda: {"links": []})
    for i, row in enumerate(rows):
        if row.get("type") == "relation":
            regions[row["from_id"]]["links"].append(row["to_id"])
        else:
            region = regions[row.get("id", i)]
            region |= {key: value for key, value in row.items() if key != "value"} | row.get("value", {})
            region["links"] += [row["parentID"]] if row.get("parentID") else []
    return dict(regions)


def _shapes(
    regions: Mapping[Any, Region], size: tuple[int, int], left_out: LeftOut, where: str
) -> Iterator[Point | Box]:
    """The key points and rectangles among an image's regions, in pixels."""
    owners = _owners(regions)
    for identity, region in regions.items():
        with entry(f"region {short(identity)}"):
            name = next((str(region[key][0]) for key in _LABELS if region.get(key)), None)
            if name is None or "x" not in region or "points" in region:
                continue
            corner = _pixels([region["x"], region["y"]], size)
            if "height" not in region:
                yield Point(name, (*corner, 2), owners.get(identity))
            elif region.get("rotation"):
                left_out.add("rectangles that are turned", where)
            else:
                sides = _pixels([region["width"], region["height"]], size)
                yield Box(name, corner, sides, owners.get(identity))


def _pixels(percent: Sequence[Any], size: tuple[int, int]) -> tuple[float, float]:
    pair = numbers(percent, 2, "a place in percent") / 100 * size
    if np.isnan(pair).any():
        raise ValueError(f"expected two numbers, got {short(percent)}")
    return float(pair[0]), float(pair[1])


def _owners(regions: Mapping[Any, Region]) -> dict[Any, Any]:
    """For each region that is linked with others one of them, the same for all that are linked."""
    owner = {identity: identity for identity in regions}

    def first(identity: Any) -> Any:
        while owner[identity] != identity:
            identity = owner[identity]
        return identity

    linked = set()
    for identity, region in regions.items():
        for other in region.get("links", ()):
            if other in owner:
                owner[first(identity)] = first(other)
                linked |= {identity, other}
    return {identity: first(identity) for identity in linked}
