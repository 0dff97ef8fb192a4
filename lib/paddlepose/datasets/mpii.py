"""MPII Human Pose: one record for each person, 16 joints, measured by PCKh.

The folder holds annot/<split>.json, annot/gt_<split>.mat and images/; both files count pixels from 1.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paddlepose.core.fields import numbers, short
from paddlepose.core.files import entry, read_json
from paddlepose.core.geometry import PADDING, SCALE_UNIT, Region
from paddlepose.core.types import ImageRecord, Person, Skeleton
from paddlepose.datasets import Source, _disk, _skeleton
from paddlepose.metrics.pckh import Pckh, Truth
from paddlepose.settings import TestSection

JOINTS = (
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top "
    "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"
).split()
LIMBS = ((0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (7, 12), (12, 11), (11, 10), (7, 13))
LIMBS += ((13, 14), (14, 15))
_LOG = logging.getLogger(__name__)

CENTER_DROP = 15.0  # pixels for each unit of scale by which the centre is moved down, to take in the feet


def skeleton(source: Source) -> Skeleton:
    """MPII's 16 joints, with what the source says otherwise; its ValueErrors name the field."""
    return _skeleton.build("mpii", JOINTS, LIMBS, source.skeleton)


def records(source: Source) -> list[ImageRecord]:
    """One record for each entry of the annotation file, numbered as there.

    A person's box is the square that the region is, before it is enlarged; the area is the square's, as MPII labels no
    outlines. People of a test split have joints at (0, 0), not visible. Those whose scale is not above 0 are left out,
    with a warning.

    Raises FileNotFoundError: the annotation file or a picture is missing; ValueError: the file is not as it should be.
    """
    labels = _disk.find_labels(source.root, f"annot/{source.split}.json")
    people = read_json(labels)
    if not people or not isinstance(people, list):
        raise ValueError(f"{labels}: a list of people was expected, each with image, center, scale, joints, joints_vis")
    pictures = _disk.Pictures(source.root / ("images.zip@" if source.archive else "images"), source)
    found, left_out = [], 0
    labelled = not source.split.startswith("test")
    for i, row in enumerate(people):
        with entry(f"{labels}: person {i}"):
            if (person := _person(row, labelled=labelled)) is None:
                left_out += 1
            else:
                found.append(ImageRecord(i, pictures.path(row["image"]), (person,)))
    if left_out:
        _LOG.warning("%s: %d of %d people left out: their scale is not above 0", labels, left_out, len(people))
    if not found:
        raise ValueError(f"{labels}: nobody has a scale above 0")
    return pictures.checked(found, str(labels))


def _person(row: Mapping[str, Any], *, labelled: bool) -> Person | None:
    """The person of an entry; None if the scale makes no region. Joints that are null are not labelled."""
    if not isinstance(row, Mapping):
        raise ValueError(f"expected image, center, scale, joints and joints_vis by name, got {short(row)}")
    scale, center = numbers(row["scale"], 1, "scale")[0], numbers(row["center"], 2, "center")
    if scale <= 0:
        return None
    size = np.full(2, SCALE_UNIT * scale)
    has_center = center[0] != -1
    center += (-1, CENTER_DROP * scale - 1 if has_center else -1)
    joints = np.zeros((len(JOINTS), 3))
    if labelled:
        joints[:, :2] = numbers(row["joints"], 2 * len(JOINTS), "joints", nullable=True).reshape(-1, 2) - 1
        joints[:, 2] = numbers(row["joints_vis"], len(JOINTS), "joints_vis", nullable=True)
        joints[np.isnan(joints).any(1)] = 0
    region = Region(center, size * PADDING if has_center else size)
    return Person(joints, region, np.concatenate([center - size / 2, size]), float(size.prod()))


def metric(source: Source, out: Path, options: TestSection) -> Pckh:
    """PCKh of one pose a record, and `pred.mat` in the folder `out`; a test split has no figures.

    Raises FileNotFoundError: the .mat file with the ground truth is missing; ValueError: it is not what it should be.
    """
    del options
    has_figures = not source.split.startswith("test")
    truth = Truth.read(_disk.find_labels(source.root, f"annot/gt_{source.split}.mat")) if has_figures else None
    return Pckh(out / "pred.mat", truth)
