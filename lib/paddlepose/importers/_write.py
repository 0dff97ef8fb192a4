"""An imported set written in COCO's format, as `DATASET.ROOT` takes it, with an experiment beside it."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from paddlepose.core.boxes import box_around
from paddlepose.core.files import NotWrittenError
from paddlepose.core.types import Skeleton
from paddlepose.importers import Found, Person, Picture, _agreement, _experiment
from paddlepose.importers._facts import UNREADABLE, facts
from paddlepose.metrics.labels import OUTLINE_SHARE

_MOST_PLACE = 1e6  # pixels from the image's corner; nobody is labelled farther away
_DIGITS = 3  # of a place in pixels

_BOXES = "boxes taken from the joints"


def usable(found: Found) -> list[Picture]:
    """Images with people, as large as their labels say, each person with a box and an area; the others are counted.

    Raises ValueError: there is none.
    """
    kept = []
    for picture in found.pictures:
        near = [person for person in picture.people if _is_near(person)]
        found.left_out.add("people at absurd places", picture.path.name, len(picture.people) - len(near))
        if not any(_has_joints(person) for person in near):
            found.left_out.add("images without people", picture.path.name)
        elif size := _size(picture, found):
            people = [_complete(person, size, found.notes) for person in near]
            kept.append(replace(picture, size=size, people=people))
    if not kept:
        raise ValueError("\n".join(["no image with people is left; left out are:", *found.left_out.lines()]))
    return sorted(kept, key=lambda picture: str(picture.path))


def _is_near(person: Person) -> bool:
    places = np.concatenate([person.joints[:, :2].ravel(), () if person.box is None else person.box])
    return bool((np.abs(places) < _MOST_PLACE).all())


def _has_joints(person: Person) -> bool:
    return bool((person.joints[:, 2] > 0).any())


def _size(picture: Picture, found: Found) -> tuple[int, int] | None:
    """The size on which an image's labels are drawn; None, and counted, if the file has another."""
    name = picture.path.name
    try:
        known = facts(picture.path)
    except ValueError:
        found.left_out.add(UNREADABLE, name)
        return None
    usual = known.upright if found.upright else known.stored
    size = picture.size or usual
    if size not in ({known.upright} if found.upright else {known.stored, known.upright}):
        found.left_out.add(
            "images whose labels are for another size", f"{name} {usual[0]}x{usual[1]}, not {size[0]}x{size[1]}"
        )
    elif found.upright and known.turned and known.stored == known.upright:
        found.left_out.add("images that their EXIF data turn upside down or mirror; save them as they are shown", name)
    else:
        return size
    return None


def _complete(person: Person, size: tuple[int, int], notes: Counter[str]) -> Person:
    box = person.box
    if box is None or box[2:].min() <= 0:
        shown = person.joints[person.joints[:, 2] > 0, :2]
        if not len(shown):
            return person
        notes[_BOXES] += 1
        start, sides = np.split(box_around(shown), 2)
        end = np.minimum(start + sides, size)
        start = start.clip(0)
        box = np.concatenate([start, np.maximum(end - start, 1)])
    return replace(person, box=box, area=person.area or OUTLINE_SHARE * float(box[2:].prod()))


def write(found: Found, pictures: Sequence[Picture], out: Path) -> list[str]:
    """Write annotations, images and experiment into the new folder `out`; what there is to say of them, by line.

    Raises NotWrittenError: the disk is full, or the like; then nothing is left behind.
    """
    described, why_not = _experiment.skeleton(found)
    sigmas = _agreement.sigmas(pictures, len(found.joints))
    names = _names(pictures)
    by_split = {split: [one for one in pictures if one.split == split] for split in ("train", "val", "test")}
    by_split = {split: chosen for split, chosen in by_split.items() if chosen}
    people = {split: [person for one in chosen for person in one.people] for split, chosen in by_split.items()}
    boxes = np.stack([person.box for person in people["train"] if _has_joints(person)])
    size = _experiment.input_size(boxes)
    experiment = _experiment.text(out, size, described, can_flip=not why_not, sigmas=sigmas, people=len(boxes))
    with _new_folder(out) as folder:
        (folder / "annotations").mkdir()
        (folder / "images").mkdir()
        for split, chosen in by_split.items():
            content = json.dumps(_content(found, chosen, names, described), ensure_ascii=False)
            (folder / "annotations" / f"{split}.json").write_text(content, encoding="utf-8")
        for path, name in names.items():
            _take(path, folder / "images" / name)
        (folder / f"{out.name}.yaml").write_text(experiment, encoding="utf-8")
    return [*_counts(found, by_split, people), *_about(described, why_not, size, sigmas)]


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder to write into, which then becomes `path`, or is removed again."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.mkdir(parents=True)
        yield beside
        beside.rename(path)
    except OSError as error:
        raise NotWrittenError(f"{path} was not written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _take(path: Path, target: Path) -> None:
    """An image's file under another name too, or a copy where the disk does not allow that."""
    try:
        target.hardlink_to(path.resolve())
    except OSError:
        shutil.copyfile(path, target)


def _names(pictures: Sequence[Picture]) -> dict[Path, str]:
    """A file name for each image: its own, with its folders before it where several have the same."""
    top = os.path.commonpath([picture.path.parent for picture in pictures])
    own = Counter(picture.path.name.lower() for picture in pictures)
    names, used = {}, set()
    for i, path in enumerate(picture.path for picture in pictures):
        name = path.name if own[path.name.lower()] == 1 else "_".join(path.relative_to(top).parts)
        names[path] = f"{i}_{name}" if name.lower() in used else name
        used.add(names[path].lower())
    return names


def _content(
    found: Found, pictures: Sequence[Picture], names: Mapping[Path, str], described: Skeleton
) -> dict[str, Any]:
    """A split in COCO's format."""
    images = [
        {"id": i, "file_name": names[one.path], "width": one.size[0], "height": one.size[1]}
        for i, one in enumerate(pictures, 1)
    ]
    rows = [(i, person) for i, one in enumerate(pictures, 1) for person in one.people if person.box is not None]
    limbs = [[a + 1, b + 1] for a, b in described.limbs]
    category = {"id": 1, "name": found.category, "keypoints": list(found.joints), "skeleton": limbs}
    annotations = [_annotation(number, image, person) for number, (image, person) in enumerate(rows, 1)]
    return {"images": images, "annotations": annotations, "categories": [category]}


def _annotation(number: int, image: int, person: Person) -> dict[str, Any]:
    joints = [value for x, y, seen in person.joints.tolist() for value in (_short(x), _short(y), int(seen))]
    row = {"id": number, "image_id": image, "category_id": 1, "iscrowd": int(person.crowd), "keypoints": joints}
    row |= {
        "num_keypoints": int((person.joints[:, 2] > 0).sum()),
        "bbox": [_short(side) for side in person.box.tolist()],
    }
    return row | {"area": _short(person.area)} | ({"segmentation": person.outline} if person.outline else {})


def _short(value: float) -> float | int:
    """A place as it is, but for rounding; whole numbers without a point."""
    rounded = round(value, _DIGITS)
    return int(rounded) if rounded == int(rounded) else rounded


def _counts(
    found: Found, by_split: Mapping[str, Sequence[Picture]], people: Mapping[str, Sequence[Person]]
) -> list[str]:
    lines = [f"{found.tool}: '{found.category}' with {len(found.joints)} joints"]
    for split, chosen in by_split.items():
        labelled = [int((person.joints[:, 2] > 0).sum()) for person in people[split]]
        lines.append(f"{split}: {len(chosen):,} images, {len(labelled):,} people, {sum(labelled):,} joints labelled")
    totals = sum(((person.joints[:, 2] > 0).astype(int) for group in people.values() for person in group), np.array(0))
    lines.append(
        "labelled: " + ", ".join(f"{name} {count:,}" for name, count in zip(found.joints, totals, strict=True))
    )
    lines += [f"{number:,} {note}" for note, number in found.notes.most_common() if number]
    return lines + [f"left out: {line}" for line in found.left_out.lines()]


def _about(described: Skeleton, why_not: str, size: tuple[int, int], sigmas: Sequence[float] | None) -> list[str]:
    names = described.joints
    paired = {i for pair in described.flip_pairs for i in pair}
    pairs = ", ".join(f"{names[i]} and {names[j]}" for i, j in described.flip_pairs)
    alone = ", ".join(name for i, name in enumerate(names) if i not in paired)
    flip = f"FLIP is off: {why_not}; give FLIP_PAIRS and turn it on" if why_not else f"pairs: {pairs or 'none'}"
    lines = [flip, *([f"not paired: {alone}"] if alone and not why_not else [])]
    lines.append(f"limbs: {len(described.limbs)}; input: {size[0]}x{size[1]} pixels")
    if sigmas:
        lines.append("sigmas of those who labelled the same images: " + ", ".join(map(str, sigmas)))
    return lines
