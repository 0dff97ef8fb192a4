"""COCO keypoints, CrowdPose, and any data set in COCO's format; people from the labels or from a file of detections.

The folder holds annotations/person_keypoints_<split>.json, annotations/<split>.json or json/crowdpose_<split>.json, and
images/<split>/, images/, images/<split>.zip or images.zip.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.files import entry, read_json
from paddlepose.core.geometry import Region
from paddlepose.core.types import ImageRecord, Person, Skeleton
from paddlepose.datasets import Source, _coco_file, _disk, _skeleton
from paddlepose.datasets._coco_file import CocoFile
from paddlepose.metrics.coco import OUTLINE_SHARE, Everybody, Keypoints, Kind
from paddlepose.settings import TestSection

_LOG = logging.getLogger(__name__)

Row = Mapping[str, Any]
People = dict[int, list[Person]]


def skeleton(source: Source, usual: Skeleton = _skeleton.COCO) -> Skeleton:
    """The joints and limbs that the annotation file describes, with what the source says otherwise.

    Without an annotation file they are the `usual` ones; for a test split whose file describes none, COCO's 17.

    Raises ValueError: the file describes no joints, or the source's fields do not fit them.
    """
    with suppress(FileNotFoundError):
        return _coco_file.read(source).skeleton
    joints = source.skeleton.get("joints", usual.joints)
    return _skeleton.build(usual.name, joints, (), source.skeleton, sigma=_coco_file.DEFAULT_SIGMA)


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
    return _disk.checked([_record(labels, source, number, persons) for number, persons in people.items()], labels.path)


def pictures(source: Source, *, train: bool) -> list[ImageRecord]:
    """One record for each picture as a whole; for training, each that anybody is labelled in, be it a crowd.

    Its people are all but crowds without joints, with their boxes as they are; those without a labelled joint and
    crowds are outlined in `ignore`.

    Raises FileNotFoundError: the annotation file or a picture is missing; ValueError: the file is malformed.
    """
    labels = _coco_file.read(source)
    people, ignore = defaultdict(list), defaultdict(list)
    joints = len(labels.skeleton.joints)
    for i, row in enumerate(labels.annotations):
        with entry(f"{labels.path}: annotation {row.get('id', i)}"):
            if row["category_id"] != labels.category:
                continue
            number, crowd = row["image_id"], bool(row.get("iscrowd"))
            points = np.array(row["keypoints"], np.float64).reshape(joints, 3)
            labelled = bool((points[:, 2] > 0).any())
            if not crowd or labelled:
                box = np.array(row["bbox"], np.float64)
                area = float(row.get("area", OUTLINE_SHARE * box[2] * box[3]))
                people[number].append(Person(points, Region.from_box(box, source.aspect), box, area, crowd=crowd))
            ignore[number] += [row["segmentation"]] if row.get("segmentation") and (crowd or not labelled) else []
    numbers = [number for number in labels.images if not train or number in ignore]
    if not numbers:
        raise ValueError(f"{labels.path}: none of its images has an annotation of a person")
    found = [_record(labels, source, number, people[number], ignore[number]) for number in numbers]
    return _disk.checked(found, labels.path)


def _record(
    labels: CocoFile, source: Source, number: int, people: Sequence[Person], ignore: Sequence[Any] = ()
) -> ImageRecord:
    with entry(f"{labels.path}: image {number}"):
        path = _folder(source) / labels.images[number]["file_name"]
        return ImageRecord(number, path, tuple(people), labels.size(number), tuple(ignore))


def metric(source: Source, out: Path, options: TestSection) -> Keypoints:
    """COCO's ten figures, or CrowdPose's where all images have a `crowdIndex`; none for a file without labels.

    Raises FileNotFoundError: the annotation file is missing; ValueError: it is not what it should be.
    """
    labels = _coco_file.read(source)
    file = out / "results" / f"keypoints_{source.split}_results_0.json"
    how = {"oks_threshold": options.oks_thre, "least_confidence": options.in_vis_thre, "soft": options.soft_nms}
    return Keypoints(file, *_measured(labels), category=labels.category, **how)


def picture_metric(source: Source, out: Path, tag: str) -> Everybody:
    """The figures of `metric` for poses of whole pictures, with a results file of a name that has the tag."""
    labels = _coco_file.read(source)
    file = out / "results" / f"keypoints_{source.split}_{tag}_results.json"
    return Everybody(file, *_measured(labels), category=labels.category)


def _measured(labels: CocoFile) -> tuple[Skeleton, Path | None, Kind]:
    kind = "crowdpose" if all("crowdIndex" in image for image in labels.images.values()) else "coco"
    return labels.skeleton, labels.path if labels.annotations else None, kind


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
    names = ["test2017", source.split] if source.split.startswith("test") else [source.split]
    images = source.root / "images"
    if not source.archive:
        return next((images / name for name in names if (images / name).is_dir()), images)
    archives = [images / f"{name}.zip" for name in names]
    found = next((path for path in [*archives, images.with_suffix(".zip")] if path.is_file()), archives[0])
    return found.with_suffix(".zip@")


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
