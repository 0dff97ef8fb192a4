"""CVAT's own XML 1.1, for images and for video, with skeletons or with points.

Images have their shapes, a video's tracks have theirs frame by frame; all frames in which a track is there are taken,
interpolated ones too. Skeletons have joints with names. Points that are labels of their own are brought to people by
their group, or by the box around them; a shape of several points is a person, with joints that have no names.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from paddlepose.core.fields import short
from paddlepose.core.files import entry
from paddlepose.core.types import Pairs
from paddlepose.importers import Found, LeftOut, split_of
from paddlepose.importers._gather import Body, Box, Joint, Point, Sheet, choose, gather, ordered
from paddlepose.importers._place import Place

TITLE = "CVAT XML"

Element = ElementTree.Element
Sides = tuple[float, float, float, float]

VIDEO = "frames of videos, whose neighbours are alike; --group-by keeps those of one video in one split"

_TAG = re.compile(r"<(line|circle)\b([^>]*)>")  # of a skeleton's drawing
_ATTRIBUTE = re.compile(r"([\w-]+)=[\"']([^\"']*)[\"']")


class _NoDoctype(ElementTree.TreeBuilder):
    """Elements of a document without declarations, which CVAT does not write and which could be made to explode."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("has a DOCTYPE, which no export of CVAT has")


@dataclass(slots=True)
class _Frame:
    """An image or a video's frame; a shape has the label and the group of its track, where it is of one."""

    name: str
    size: tuple[int, int] | None
    split: str | None
    shapes: list[tuple[Element, str, str | None]] = field(default_factory=list)
    is_video: bool = False


def find(place: Place) -> list[Path]:
    """XML files of CVAT's form."""
    return place.labels(".xml", words=("annotations", "version", "meta"))


def read(files: Sequence[Path], place: Place, wanted: Sequence[str]) -> Found:
    """People of the skeletons' label, or else of points. Raises ValueError: a file is malformed; with its name."""
    left_out, skeletons, frames = LeftOut(), {}, []
    for path in files:
        with entry(str(path)):
            root = _parse(path)
            skeletons |= _skeletons(root)
            for frame in _frames(root):
                if picture := place.picture(frame.name, path):
                    frames.append((picture, frame, path))
                else:
                    left_out.add("images that are missing", frame.name)
    people = _people([shape for _, frame, _ in frames for shape, _, _ in frame.shapes])
    sheets = []
    for picture, frame, path in frames:
        with entry(f"{path}: {frame.name}"):
            bodies = people(frame, wanted, left_out, picture.name)
            sheets.append(Sheet(picture, bodies, frame.size, frame.split))
    taken = choose(Counter(body.category for sheet in sheets for body in sheet.bodies if body.category), wanted, TITLE)
    described = {skeletons[label] for label in taken if label in skeletons}
    if len(described) > 1:
        labels = ", ".join(f"'{label}'" for label in sorted(taken))
        raise ValueError(f"{TITLE}: skeletons {labels} have different joints; choose one with --category")
    sheets = _of_one_length(sheets, left_out) if people is _numbered else sheets
    found = ordered(TITLE, sheets, sorted(taken), left_out, skeleton=next(iter(described), ((), ())))
    found.notes[VIDEO] += sum(frame.is_video for _, frame, _ in frames)
    return replace(found, has_names=people is not _numbered)


def _people(shapes: Sequence[Element]) -> Callable[[_Frame, Sequence[str], LeftOut, str], list[Body]]:
    """How people are labelled: by skeletons, else by shapes of several points, else by single points."""
    if any(shape.tag == "skeleton" for shape in shapes):
        return _jointed
    several = any(shape.tag == "points" and ";" in shape.get("points", "") for shape in shapes)
    return _numbered if several else _pointed


def _parse(path: Path) -> Element:
    try:
        return ElementTree.parse(path, ElementTree.XMLParser(target=_NoDoctype())).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error


def _skeletons(root: Element) -> dict[str, tuple[tuple[str, ...], Pairs]]:
    """Joints and limbs of each label that is a skeleton, of the list of labels."""
    labels = [label for label in root.iter("label") if label.findtext("name")]
    made = {}
    for label in labels:
        name = label.findtext("name")
        joints = tuple(other.findtext("name") for other in labels if other.findtext("parent") == name)
        if joints:
            made[name] = (joints, _limbs(label.findtext("svg") or "", joints))
    return made


def _limbs(drawing: str, joints: Sequence[str]) -> Pairs:
    """Lines of a skeleton's drawing as pairs of joints; those whose ends have no name are left out."""
    tags = [(tag, dict(_ATTRIBUTE.findall(attributes))) for tag, attributes in _TAG.findall(drawing)]
    nodes = {tag.get("data-node-id"): tag.get("data-label-name") for kind, tag in tags if kind == "circle"}
    ends = [
        (nodes.get(tag.get("data-node-from")), nodes.get(tag.get("data-node-to")))
        for kind, tag in tags
        if kind == "line"
    ]
    return tuple((joints.index(a), joints.index(b)) for a, b in ends if a in joints and b in joints)


def _frames(root: Element) -> Iterator[_Frame]:
    """Images with their shapes, or the frames of a video with those of its tracks."""
    for image in root.iter("image"):
        subset = image.get("subset", "")
        size = (int(image.get("width")), int(image.get("height"))) if image.get("width") else None
        shapes = [(shape, shape.attrib["label"], shape.get("group_id")) for shape in image]
        yield _Frame(f"{subset}/{image.attrib['name']}".lstrip("/"), size, split_of(subset), shapes)
    sizes = {(int(size.findtext("width")), int(size.findtext("height"))) for size in root.iter("original_size")}
    frames: dict[tuple[str, int], _Frame] = {}
    tasks: defaultdict[tuple[str, int], set[str | None]] = defaultdict(set)
    for track in root.iter("track"):
        subset, group = track.get("subset", ""), track.get("group_id")
        for shape in track:
            if shape.get("outside") != "1" and "frame" in shape.attrib:
                key = subset, int(shape.attrib["frame"])
                tasks[key].add(track.get("task_id"))
                name = f"{subset}/frame_{key[1]:06d}".lstrip("/")
                size = next(iter(sizes)) if len(sizes) == 1 else None
                frame = frames.setdefault(key, _Frame(name, size, split_of(subset), is_video=True))
                frame.shapes.append((shape, track.attrib["label"], group))
    if any(len(numbers) > 1 for numbers in tasks.values()):
        raise ValueError("has several videos, whose frames have the same names; export each task by itself")
    yield from frames.values()


def _jointed(frame: _Frame, wanted: Sequence[str], left_out: LeftOut, where: str) -> list[Body]:
    """People of a frame's skeletons; points beside them are nobody's."""
    left_out.add("points that are of no skeleton", where, sum(shape.tag == "points" for shape, _, _ in frame.shapes))
    bodies = []
    for shape, label, box in _boxed(frame, "skeleton"):
        rows = [row for row in shape.iter("points") if row.get("outside") != "1"]
        bodies += [Body({row.attrib["label"]: _joints(row)[0] for row in rows}, label, box)] if rows else []
    return bodies


def _numbered(frame: _Frame, wanted: Sequence[str], left_out: LeftOut, where: str) -> list[Body]:
    """People of a frame's shapes of several points, which are their joints in order."""
    return [
        Body({f"joint_{i + 1}": joint for i, joint in enumerate(_joints(shape))}, label, box)
        for shape, label, box in _boxed(frame, "points")
    ]


def _pointed(frame: _Frame, wanted: Sequence[str], left_out: LeftOut, where: str) -> list[Body]:
    """People of a frame's single points, each labelled by its joint's name."""
    shapes = []
    for shape, label, group in frame.shapes:
        if shape.tag == "points":
            shapes.append(Point(label, _joints(shape)[0], group))
        elif shape.tag == "box":
            x, y, width, height = _box(shape)
            shapes.append(Box(label, (x, y), (width, height), group))
    return gather(shapes, wanted, left_out, where)


def _boxed(frame: _Frame, tag: str) -> Iterator[tuple[Element, str, Sides | None]]:
    """Shapes of a kind, with label, and the box that is in a group with this one of them alone."""
    groups = Counter(group for shape, _, group in frame.shapes if shape.tag == tag)
    boxes = {group: _box(shape) for shape, _, group in frame.shapes if shape.tag == "box"}
    for shape, label, group in frame.shapes:
        if shape.tag == tag:
            yield shape, label, boxes.get(group) if group is not None and groups[group] == 1 else None


def _box(shape: Element) -> Sides:
    """Left, top, width and height of a rectangle."""
    left, top, right, bottom = (float(shape.attrib[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
    return left, top, right - left, bottom - top


def _joints(shape: Element) -> list[Joint]:
    """The points of a shape, hidden where it is occluded."""
    pairs = [tuple(float(number) for number in pair.split(",")) for pair in shape.attrib["points"].split(";")]
    if any(len(pair) != 2 for pair in pairs) or not np.isfinite(pairs).all():
        raise ValueError(f"points: expected x,y;x,y;..., got {short(shape.attrib['points'])}")
    return [(x, y, 1 if shape.get("occluded") == "1" else 2) for x, y in pairs]


def _of_one_length(sheets: Sequence[Sheet], left_out: LeftOut) -> list[Sheet]:
    """People without those who have another number of joints than most."""
    lengths = Counter(len(body.joints) for sheet in sheets for body in sheet.bodies)
    usual = max(lengths, key=lambda length: lengths[length])
    made = []
    for sheet in sheets:
        bodies = [body for body in sheet.bodies if len(body.joints) == usual]
        left_out.add(
            f"people who do not have {usual} points, as most have", sheet.path.name, len(sheet.bodies) - len(bodies)
        )
        made.append(replace(sheet, bodies=bodies))
    return made
