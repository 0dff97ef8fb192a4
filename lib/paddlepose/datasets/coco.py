"""COCO keypoints, CrowdPose, and any data set in COCO's format; people from the labels or from a file of detections.

The folder holds annotations/person_keypoints_<split>.json, annotations/<split>.json or json/crowdpose_<split>.json, and
images/<split>/, images/, images/<split>.zip or images.zip.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paddlepose.core.fields import key, numbers
from paddlepose.core.files import entry, read_json
from paddlepose.core.geometry import Region
from paddlepose.core.image import picture_size
from paddlepose.core.nms import DEFAULT_SIGMA
from paddlepose.core.types import ImageRecord, Person, Skeleton
from paddlepose.datasets import Source, _coco_file, _disk, _skeleton
from paddlepose.metrics.coco import Everybody, Keypoints, Kind
from paddlepose.metrics.labels import Annotation, Labels, objects, summary
from paddlepose.settings import TestSection

_LOG = logging.getLogger(__name__)

Size = tuple[int, int]


def skeleton(source: Source, usual: Skeleton = _skeleton.COCO) -> Skeleton:
    """The joints and limbs that the annotation file describes, with what the source says otherwise.

    Without an annotation file they are the `usual` ones; for a test split whose file describes none, COCO's 17.

    Raises ValueError: the file describes no joints, or the source's fields do not fit them.
    """
    with suppress(FileNotFoundError):
        return _coco_file.read(source)[1]
    joints = source.skeleton.get("joints", usual.joints)
    return _skeleton.build(usual.name, joints, (), source.skeleton, sigma=DEFAULT_SIGMA)


def records(source: Source) -> list[ImageRecord]:
    """One record for each image that has people, in the order of the annotation file or of the detections.

    Of labelled people, crowds and those without a box or a labelled joint are left out, and boxes are cleaned (see
    `cleaned`). Detected people have their boxes as they are, and joints at (0, 0), all visible. Who is left out is
    logged, by reason.

    Raises FileNotFoundError: the annotation file, the detections or a picture is missing; ValueError: a file is not
    what it should be, or holds nobody.
    """
    labels, described = _coco_file.read(source)
    made = _Images(labels, source)
    if source.detections:
        found = _detected(labels, len(described.joints), source, source.detections)
        return made.checked(made.record(number, people) for number, people in found.items())
    by_image, left_out, found = defaultdict(list), Counter(labels.left_out), []
    for annotation in labels.annotations:
        by_image[annotation.image].append(annotation)
    for number in labels.images:
        if number in by_image:
            size = made.size(number)
            chosen = (_person(annotation, size, source.aspect, left_out) for annotation in by_image[number])
            if people := [person for person in chosen if person]:
                found.append(made.record(number, people))
    _say(labels, left_out)
    if not found:
        raise ValueError(f"{labels.name}: has nobody with a box and a joint: {_all_of(labels, left_out)}")
    return made.checked(found)


def pictures(source: Source, *, train: bool) -> list[ImageRecord]:
    """One record for each picture as a whole; for training, each that anybody is labelled in, be it a crowd.

    Its people are all but crowds without joints, with their boxes as they are; those without a labelled joint and
    crowds are outlined in `ignore`.

    Raises FileNotFoundError: the annotation file or a picture is missing; ValueError: the file is malformed.
    """
    labels, _ = _coco_file.read(source)
    made = _Images(labels, source)
    people, ignore = defaultdict(list), defaultdict(list)
    for one in labels.annotations:
        if not one.crowd or one.labelled:
            region = Region.from_box(one.box, source.aspect)
            people[one.image].append(Person(one.joints, region, one.box, one.area, crowd=one.crowd))
        ignore[one.image] += [one.outline] if one.outline and (one.crowd or not one.labelled) else []
    chosen = [number for number in labels.images if not train or number in ignore]
    _say(labels, labels.left_out)
    if not chosen:
        raise ValueError(f"{labels.name}: none of its images has a person: {_all_of(labels, labels.left_out)}")
    return made.checked(made.record(number, people[number], ignore[number]) for number in chosen)


class _Images:
    """The images of an annotation file on the disk."""

    def __init__(self, labels: Labels, source: Source) -> None:
        self._labels, self._pictures = labels, _disk.Pictures(_disk.split_folder(source), source)

    def size(self, number: int) -> Size:
        """Width and height of an image, of its file where the labels do not say."""
        return self._labels.images[number].size or picture_size(self._path(number))

    def record(self, number: int, people: Iterable[Person], ignore: Sequence[Any] = ()) -> ImageRecord:
        return ImageRecord(
            number, self._path(number), tuple(people), self._labels.images[number].size, ignore=tuple(ignore)
        )

    def checked(self, records: Iterable[ImageRecord]) -> list[ImageRecord]:
        """The records, after a look whether their pictures exist."""
        return self._pictures.checked(list(records), self._labels.name)

    def _path(self, number: int) -> Path:
        image = self._labels.images[number]
        with entry(f"{self._labels.name}: image {image.id}"):
            return self._pictures.path(image.file_name)


def _say(labels: Labels, left_out: Counter[str]) -> None:
    """Log what is not used of the labels, and what was put in place of what they lack."""
    for title, counts in (("", labels.notes), ("annotations left out: ", left_out)):
        if counts.total():
            _LOG.info("%s: %s%s", labels.name, title, summary(counts))


def _all_of(labels: Labels, left_out: Counter[str]) -> str:
    return f"annotations left out: {summary(left_out)}" if left_out else "there is no annotation"


def metric(source: Source, out: Path, options: TestSection) -> Keypoints:
    """COCO's ten figures, or CrowdPose's where all images have a `crowdIndex`; none for a file without labels.

    Raises FileNotFoundError: the annotation file is missing; ValueError: it is not what it should be.
    """
    file = out / "results" / f"keypoints_{source.split}_results_0.json"
    how = {"oks_threshold": options.oks_thre, "least_confidence": options.in_vis_thre, "soft": options.soft_nms}
    return Keypoints(file, *_measured(source), **how)


def picture_metric(source: Source, out: Path, tag: str) -> Everybody:
    """The figures of `metric` for poses of whole pictures, with a results file of a name that has the tag."""
    return Everybody(out / "results" / f"keypoints_{source.split}_{tag}_results.json", *_measured(source))


def _measured(source: Source) -> tuple[Skeleton, Labels, Kind]:
    labels, described = _coco_file.read(source)
    has_index = all(image.crowd_index is not None for image in labels.images.values())
    return described, labels, "crowdpose" if has_index else "coco"


def cleaned(box: Sequence[float], image_size: tuple[int, int]) -> NDArray[np.float64] | None:
    """A box (x, y, width, height) within an image, one pixel less wide and high; None where nothing of it is inside.

    A box that begins left of or above the image is moved, not cut: published results were computed so.
    """
    x, y, width, height = box
    start = np.array([max(0.0, x), max(0.0, y)])
    end = np.minimum(np.array(image_size) - 1.0, start + (max(0.0, width - 1), max(0.0, height - 1)))
    return np.concatenate([start, end - start]) if (end >= start).all() else None


def _person(annotation: Annotation, image_size: Size, aspect: float, left_out: Counter[str]) -> Person | None:
    """A labelled person; None, and counted, if there is nothing to train on."""
    box = cleaned(annotation.box, image_size)
    reasons = {
        "crowds": annotation.crowd,
        "without a labelled joint": not annotation.labelled,
        "with a box of no width or height": annotation.box[2:].min() <= 0,
        "with an area of 0": annotation.area <= 0,
        "with a box outside the image": box is None,
        "with a box of less than two pixels": box is not None and not box[2:].any(),
    }
    if reason := next((reason for reason, holds in reasons.items() if holds), None):
        left_out[reason] += 1
        return None
    points = annotation.joints.copy()
    points[:, 2] = points[:, 2] > 0
    return Person(points, Region.from_box(box, aspect), box, annotation.area)


def _detected(labels: Labels, joints: int, source: Source, path: Path) -> dict[int, list[Person]]:
    """The detected people of each image, in the order of the file at `path`."""
    boxes = objects(str(path), read_json(path), "a file of detections")
    _LOG.info("=> Total boxes: %d", len(boxes))
    unseen = np.tile([0.0, 0.0, 1.0], (joints, 1))
    people, left_out = defaultdict(list), Counter()
    for i, row in enumerate(boxes):
        with entry(f"{path}: box {i}"):
            if key(row.get("category_id", labels.category.id), "category_id") not in labels.category.keys:
                left_out["of other categories"] += 1
                continue
            box, score = numbers(row["bbox"], 4, "bbox"), float(numbers(row["score"], 1, "score")[0])
            number = labels.number(row["image_id"])
            if score < source.least_score:
                left_out[f"with a score below TEST.IMAGE_THRE {source.least_score}"] += 1
            elif box[2:].min() <= 0:
                left_out["with a box of no width or height"] += 1
            else:
                region = Region.from_box(box, source.aspect)
                people[number].append(Person(unseen, region, box, float(box[2:].prod()), score))
    _LOG.info("=> Total boxes after fliter low score@%s: %d", source.least_score, sum(map(len, people.values())))
    if bad := left_out["with a box of no width or height"]:
        _LOG.warning("%s: %d boxes left out: they have no width or height", path, bad)
    if not people:
        raise ValueError(f"{path}: none of its {len(boxes)} boxes can be used: {summary(left_out) or 'there is none'}")
    return people
