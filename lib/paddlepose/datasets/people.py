"""Pictures and the boxes of everybody in them, without joints, for a detector.

The folder holds annotations/people_<split>.json, a list of {"file": "a.jpg", "boxes": [[x, y, width, height, score]]},
and the pictures as COCO's sets do. The score says how sure a label is.
"""

import numpy as np

from paddlepose.core.fields import numbers
from paddlepose.core.files import entry, read_json
from paddlepose.core.geometry import Region
from paddlepose.core.types import ImageRecord, Person, Skeleton
from paddlepose.datasets import Source, _disk

_PERSON = Skeleton("people", ("person",), flip_pairs=(), limbs=())


def skeleton(source: Source) -> Skeleton:
    """One joint that stands for the person: nobody's are labelled."""
    del source
    return _PERSON


def pictures(source: Source, *, train: bool) -> list[ImageRecord]:
    """One record for each picture, in the file's order.

    Raises FileNotFoundError: the file or a picture is missing; ValueError: the file is not as it should be.
    """
    del train
    labels = _disk.find_labels(source.root, f"annotations/people_{source.split}.json")
    rows = read_json(labels)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{labels}: expected a list of pictures, each with file and boxes")
    folder = _disk.Pictures(_disk.split_folder(source), source)
    found = []
    for i, row in enumerate(rows):
        with entry(f"{labels}: picture {i}"):
            people = tuple(_person(box, source.aspect) for box in row["boxes"])
            found.append(ImageRecord(i, folder.path(row["file"]), people))
    return folder.checked(found, str(labels))


def _person(row: object, aspect: float) -> Person:
    *box, score = numbers(row, 5, "a box of x, y, width, height, score")
    box = np.array(box)
    return Person(np.zeros((1, 3)), Region.from_box(box, aspect), box, float(box[2] * box[3]), float(score))
