"""COCO keypoints, and any data set in COCO's format; people from the labels or from a file of detections.

The folder holds annotations/person_keypoints_<split>.json or annotations/<split>.json, and images/<split>/ or images/.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.files import entry, read_json
from paddlepose.core.geometry import Region
from paddlepose.core.types import ImageRecord, Person, Skeleton
from paddlepose.datasets import Source, _coco_file, _disk, _skeleton
from paddlepose.datasets._coco_file import CocoFile
from paddlepose.metrics.coco import OUTLINE_SHARE, Keypoints, Selection

if TYPE_CHECKING:
    from paddlepose.settings import TestSection

_LOG = logging.getLogger(__name__)

Row = Mapping[str, Any]
People = dict[int, list[Person]]


def skeleton(source: Source) -> Skeleton:
    """The joints and limbs that the annotation file describes, with what the source says otherwise.

    Without an annotation file, and for a test split whose file describes none, they are COCO's 17.

    Raises ValueError: the file describes no joints, or the source's fields do not fit them.
    """
    with suppress(FileNotFoundError):
        return _coco_file.read(source).skeleton
    joints = source.skeleton.get("joints", _skeleton.COCO.joints)
    return _skeleton.build("coco", joints, (), source.skeleton, sigma=_coco_file.DEFAULT_SIGMA)


def records(source: Source) -> list[ImageRecord]:
    """One record for each image that has people, in the order of the annotation file or of the detections.

    Of labelled people, crowds and those without a box or a labelled joint are left out, and boxes are cleaned (see
    `cleaned`). Detected people have their boxes as they are, and joints at (0, 0), all visible.

    Raises FileNotFoundError: the annotation file, the detections or a picture is missing; ValueError: a file is not
    what it should be, or holds nobody.
    """
    labels = _coco_file.read(source)
    people = _detected(labels, source, source.detections) if source.detections else _labelled(labels, source.aspect)
    if not people:
        raise ValueError(f"{source.detections or labels.path}: has nobody with a box and a joint or a sufficient score")
    folder, found = _folder(source), []
    for number, persons in people.items():
        with entry(f"{labels.path}: image {number}"):
            path = folder / labels.images[number]["file_name"]
            found.append(ImageRecord(number, path, tuple(persons), labels.size(number)))
    return _disk.checked(found, labels.path)


def metric(source: Source, out: Path, options: "TestSection") -> Keypoints:
    """COCO's ten figures, or CrowdPose's six where all images have a `crowdIndex`; none for a file without labels.

    Raises FileNotFoundError: the annotation file is missing; ValueError: it is not what it should be.
    """
    labels = _coco_file.read(source)
    return Keypoints(
        out / "results" / f"keypoints_{source.split}_results_0.json",
        labels.skeleton,
        labels.path if labels.annotations else None,
        selection=Selection(options.oks_thre, options.in_vis_thre, options.soft_nms),
        kind="crowdpose" if all("crowdIndex" in image for image in labels.images.values()) else "coco",
        category=labels.category,
    )


def cleaned(box: Sequence[float], image_size: tuple[int, int]) -> NDArray[np.float64] | None:
    """A box (x, y, width, height) within an image, one pixel less wide and high; None where nothing of it is inside.

    A box that begins left of or above the image is moved, not cut: published results were computed so.
    """
    x, y, width, height = box
    start = np.array([max(0.0, x), max(0.0, y)])
    end = np.minimum(np.array(image_size) - 1.0, start + (max(0.0, width - 1), max(0.0, height - 1)))
    return np.concatenate([start, end - start]) if (end >= start).all() else None


def _folder(source: Source) -> Path:
    """Where the pictures are; COCO keeps those of all its test splits in `test2017`."""
    names = ["test2017", source.split] if "test" in source.split else [source.split]
    images = source.root / "images"
    if not source.archive:
        return next((images / name for name in names if (images / name).is_dir()), images)
    name = next((name for name in names if (images / f"{name}.zip").is_file()), names[0])
    return images / f"{name}.zip@"


def _labelled(labels: CocoFile, aspect: float) -> People:
    """The labelled people of each image that has any, in the images' order."""
    people: People = defaultdict(list)
    for i, row in enumerate(labels.annotations):
        with entry(f"{labels.path}: annotation {row.get('id', i)}"):
            if row["category_id"] != labels.category or row.get("iscrowd"):
                continue
            if row["image_id"] not in labels.images:
                raise ValueError(f"there is no image {row['image_id']}")
            size = labels.size(row["image_id"])
            if person := _person(row, size, joints=len(labels.skeleton.joints), aspect=aspect):
                people[row["image_id"]].append(person)
    return {number: people[number] for number in labels.images if number in people}


def _person(row: Row, image_size: tuple[int, int], *, joints: int, aspect: float) -> Person | None:
    """A labelled person; None without an area, a box within the image or a labelled joint."""
    box = cleaned(row["bbox"], image_size)
    area = row.get("area", OUTLINE_SHARE * row["bbox"][2] * row["bbox"][3])
    points = np.array(row["keypoints"], np.float64).reshape(joints, 3)
    if box is None or area <= 0 or not points.any():
        return None
    points[:, 2] = points[:, 2] > 0
    return Person(points, Region.from_box(box, aspect), box, float(area))


def _detected(labels: CocoFile, source: Source, path: Path) -> People:
    """The detected people of each image, in the order of the file at `path`."""
    boxes = _coco_file.objects(path, read_json(path), "boxes")
    _LOG.info("=> Total boxes: %d", len(boxes))
    unseen = np.tile([0.0, 0.0, 1.0], (len(labels.skeleton.joints), 1))
    people: People = defaultdict(list)
    for i, row in enumerate(boxes):
        with entry(f"{path}: box {i}"):
            if row["category_id"] != labels.category or row["score"] < source.least_score:
                continue
            if row["image_id"] not in labels.images:
                raise ValueError(f"{labels.path} has no image {row['image_id']}")
            box = np.array(row["bbox"], np.float64)
            region = Region.from_box(box, source.aspect)
            people[row["image_id"]].append(Person(unseen, region, box, float(box[2:].prod()), row["score"]))
    kept = sum(map(len, people.values()))
    _LOG.info("=> Total boxes after fliter low score@%s: %d", source.least_score, kept)
    return people
