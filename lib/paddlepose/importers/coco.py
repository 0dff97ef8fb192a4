"""COCO's format, of one file or of several: CVAT's COCO Keypoints, Roboflow's, Label Studio's, and any other's.

Label Studio's gives the size of an image as stored, but draws its labels on it upright, and makes one person of all in
an image. Several files that name the same image are several people's views of it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from paddlepose.core.files import read_json
from paddlepose.importers import Found, LeftOut, Person, Picture, merged, split_of
from paddlepose.importers._place import Place
from paddlepose.metrics.labels import Annotation, Labels
from paddlepose.metrics.labels import read as read_labels

TITLE = "COCO"

_LABEL_STUDIO = b'"contributor": "Label Studio"'


def find(place: Place) -> list[Path]:
    """JSON files with images and categories: those with joints, if any has."""
    words = ("images", "categories")
    return place.labels(".json", words=(*words, "keypoints")) or place.labels(".json", words=words)


def read(files: Sequence[Path], place: Place, wanted: Sequence[str]) -> Found:
    """People of the category that has joints and annotations. Raises ValueError: a file is malformed; with its name."""
    left_out, notes, pictures = LeftOut(), Counter(), []
    all_labels = [_labels(path, wanted) for path in files]
    first = all_labels[0]
    for path, labels in zip(files, all_labels, strict=True):
        if labels.category.joints != first.category.joints:
            raise ValueError(f"{labels.name} and {first.name} have different joints; import one of them")
        notes += labels.notes
        for reason, number in labels.left_out.items():
            left_out.add(f"annotations {reason}", path.name, number)
        pictures += _pictures(path, labels, place, left_out)
    return Found(
        TITLE,
        first.category.name,
        first.category.joints,
        merged(pictures, notes),
        first.category.limbs,
        upright=any(_LABEL_STUDIO in path.read_bytes() for path in files),
        left_out=left_out,
        notes=notes,
    )


def _labels(path: Path, wanted: Sequence[str]) -> Labels:
    try:
        labels = read_labels(path, wanted)
    except ValueError as error:
        raise ValueError(str(error).replace("DATASET.CATEGORY", "--category")) from error
    if not labels.category.joints:
        hint = "Label Studio needs a model_index for each joint; its JSON has them without"
        raise ValueError(f"{path}: its categories have no 'keypoints', the names of the joints ({hint})")
    return labels


def _pictures(path: Path, labels: Labels, place: Place, left_out: LeftOut) -> Iterator[Picture]:
    """The images of a file that are there, with their people."""
    from_label_studio = _LABEL_STUDIO in path.read_bytes()
    crowded = _crowded(path, labels) if from_label_studio else frozenset()
    people = {number: [] for number in labels.images}
    for annotation in labels.annotations:
        if annotation.labelled or annotation.outline:
            people[annotation.image].append(_person(annotation))
        else:
            left_out.add("people without joints", labels.images[annotation.image].file_name)
    split = split_of(str(path.relative_to(place.root).with_suffix("")))
    for number, image in labels.images.items():
        if number in crowded:
            reason = "images of several people, whom Label Studio's COCO export makes one: export JSON"
            left_out.add(reason, image.file_name)
        elif (picture := place.picture(image.file_name or "", path)) is None:
            left_out.add("images that are missing", image.file_name)
        else:
            yield Picture(picture, people[number], None if from_label_studio else image.size, split)


def _crowded(path: Path, labels: Labels) -> frozenset[int]:
    """Numbers of images in which there is more than one rectangle."""
    rows = read_json(path)["annotations"]
    rectangles = Counter(labels.number(row["image_id"]) for row in rows if not row.get("keypoints"))
    return frozenset(number for number, count in rectangles.items() if count > 1)


def _person(annotation: Annotation) -> Person:
    joints = annotation.joints.copy()
    joints[:, 2] = np.where(np.isin(joints[:, 2], (0, 1)), joints[:, 2], 2)
    joints[joints[:, 2] == 0] = 0
    return Person(joints, annotation.box, annotation.area, annotation.crowd, annotation.outline)
