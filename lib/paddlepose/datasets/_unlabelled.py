"""Pictures of people whose joints nobody has labelled, for a teacher to label."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from paddlepose.core.boxes import BoxSource, read_boxes
from paddlepose.core.geometry import Region
from paddlepose.core.image import read_picture
from paddlepose.core.media import is_video, sources
from paddlepose.core.types import ImageRecord, Person

_LOG = logging.getLogger(__name__)


def records(folder: Path, box_file: Path | None, *, joints: int, aspect: float) -> list[ImageRecord]:
    """One record for each picture of a folder that shows somebody, their `joints` joints not labelled.

    Args:
        folder: of the pictures.
        box_file: people's boxes, as `infer --boxes` takes them; without it the whole picture is one person's.
        joints: that a person has.
        aspect: width / height of the regions that people get.

    Raises FileNotFoundError: there is no picture, or no such file; ValueError: the file holds no boxes, or none of
    these pictures' people, or a picture cannot be read.
    """
    boxes = BoxSource(by_picture=read_boxes(box_file, 0.0) if box_file else None)
    paths = [path for path in sources(str(folder)) if not is_video(path)]
    found = []
    for number, path in enumerate(tqdm(paths, "unlabelled pictures", disable=None, leave=False)):
        size = read_picture(path, upright=True).shape[1::-1]
        unseen = np.zeros((joints, 3))
        people = tuple(
            Person(unseen, Region.from_box(box[:4], aspect), box[:4], float(box[2] * box[3]), labelled=False)
            for box in boxes(path, size)
        )
        if people:
            found.append(ImageRecord(number, path, people, size, upright=True))
    if not found:
        raise ValueError(f"DATASET.UNLABELLED_ROOT {folder}: {len(paths)} pictures, and no box of a person in them")
    _LOG.info("=> load %d unlabelled samples", sum(len(record.people) for record in found))
    return found


def without_labels(labelled: Iterable[ImageRecord]) -> list[ImageRecord]:
    """The records of labelled people as if nobody had labelled their joints."""
    return [
        replace(record, people=tuple(replace(p, joints=np.zeros_like(p.joints), labelled=False) for p in record.people))
        for record in labelled
    ]
