"""YOLO pose: a `data.yaml` with `kpt_shape`, and a text file of labels for each image, in shares of its size.

Ultralytics, Roboflow and CVAT write it. Newer files have the joints' names (`kpt_names`); rows may end with a track's
number. Paths of another machine are read as far as they are found below the file's folder.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from paddlepose.core.fields import short
from paddlepose.core.files import entry
from paddlepose.core.limits import MOST_JOINTS
from paddlepose.core.types import Pairs
from paddlepose.datasets._skeleton import COCO
from paddlepose.importers import IN_TWO_SPLITS, SPLITS, Floats, Found, LeftOut, Person, Picture
from paddlepose.importers._facts import upright_size
from paddlepose.importers._gather import choose
from paddlepose.importers._place import Place

TITLE = "YOLO pose"

_BOX = 5  # columns: class, and the centre and size of the box


def find(place: Place) -> list[Path]:
    """YAML files that say the shape of key points."""
    return place.labels(".yaml", ".yml", words=("kpt_shape",))


def read(files: Sequence[Path], place: Place, wanted: Sequence[str]) -> Found:
    """People of the class that has joints. Raises ValueError: a file is malformed; the message names it."""
    if files[1:]:
        raise ValueError(
            f"{place.root}: {files[0].name} and {files[1].name} both have kpt_shape; name the file to import"
        )
    (path,) = files
    left_out = LeftOut()
    with entry(str(path)):
        config = _config(path)
        joints, columns = _shape(config)
        names = _by_number(config["names"])
        splits = defaultdict(set)
        for picture, split in _images(config, place, path, left_out):
            splits[picture].add(split)
        if not splits:
            raise ValueError("none of the folders and lists that it names as train, val and test holds an image")
    notes = Counter({IN_TWO_SPLITS: sum(len(chosen) > 1 for chosen in splits.values())})
    found = [
        (picture, min(chosen) if len(chosen) == 1 else None, _rows(picture, place, (joints, columns), left_out))
        for picture, chosen in splits.items()
    ]
    counts = Counter(names.get(number, str(number)) for _, _, rows in found for number, _ in rows)
    taken = choose(counts, wanted, path)
    pictures = [
        Picture(picture, [person for number, person in rows if names.get(number, str(number)) in taken], split=split)
        for picture, split, rows in found
    ]
    with entry(str(path)):
        pairs = _pairs(config, joints)
        numbers = [number for number in names if names[number] in taken]
        labels = _joint_names(config, numbers, joints, pairs)
        made_up = [f"joint_{i + 1}" for i in range(joints)]
        category = min(taken, default="person")
        return Found(
            TITLE,
            category,
            tuple(labels or made_up),
            pictures,
            flip_pairs=pairs,
            has_names=bool(labels),
            left_out=left_out,
            notes=notes,
        )


def _config(path: Path) -> Mapping[str, Any]:
    try:
        config = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(config, Mapping):
        raise ValueError(f"expected keys and values, got {short(config)}")
    return config


def _shape(config: Mapping[str, Any]) -> tuple[int, int]:
    """Joints of a person, and numbers of a joint: 2 or 3."""
    shape = config["kpt_shape"]
    whole = isinstance(shape, list) and len(shape) == 2 and all(type(number) is int for number in shape)
    if not whole or not 0 < shape[0] <= MOST_JOINTS or shape[1] not in (2, 3):
        raise ValueError(f"kpt_shape: expected the number of joints, and 2 or 3, got {short(shape)}")
    return shape[0], shape[1]


def _by_number(names: Any) -> dict[int, str]:
    """Names by their number, of a list or of keys and values."""
    pairs = names.items() if isinstance(names, Mapping) else enumerate(names if isinstance(names, list) else [])
    return {int(number): str(name) for number, name in pairs}


def _images(config: Mapping[str, Any], place: Place, path: Path, left_out: LeftOut) -> Iterator[tuple[Path, str]]:
    """Images with their split, of the folders, lists and lists of these that the file names."""
    base = str(config.get("path") or "")
    for key, split in SPLITS.items():
        values = config.get(key) or []
        for value in [values] if isinstance(values, str) else values:
            where = place.below(f"{base}/{value}", path)
            if where is None:
                left_out.add(f"folders or lists that {path.name} names and that are missing", value)
            elif where.suffix == ".txt":
                for line in where.read_text().split("\n"):
                    if name := line.strip():
                        if picture := place.picture(name, where) or place.below(name, where):
                            yield picture, split
                        else:
                            left_out.add("images that are missing", name)
            else:
                yield from ((picture, split) for picture in place.pictures(where))


def _rows(picture: Path, place: Place, shape: tuple[int, int], left_out: LeftOut) -> list[tuple[int, Person]]:
    """Class and person of each row of an image's labels that has joints."""
    labels = _labels(picture, place)
    size = upright_size(picture, left_out) if labels.is_file() else None
    rows = []
    for i, line in enumerate(labels.read_text().splitlines() if size else (), 1):
        with entry(f"{labels}: line {i}"):
            values = np.array([float(text) for text in line.split()])
            if not len(values):
                continue
            if not np.isfinite(values).all():
                raise ValueError("expected numbers, got one that is not finite")
            if len(values) == _BOX:
                left_out.add("people without joints", picture.name)
                continue
            if len(values) - _BOX - shape[0] * shape[1] not in (0, 1):
                wants = f"{_BOX + shape[0] * shape[1]} numbers for kpt_shape {list(shape)}"
                raise ValueError(f"expected {wants}, got {len(values)}")
            rows.append((int(values[0]), _person(values, shape, np.array(size))))
    return rows


def _labels(picture: Path, place: Place) -> Path:
    """The text file with an image's labels: in `labels` where the image is in `images`, or beside it."""
    parts = list(picture.relative_to(place.root).parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return place.root.joinpath(*parts).with_suffix(".txt")


def _person(values: Floats, shape: tuple[int, int], size: Floats) -> Person:
    joints, columns = shape
    points = values[_BOX : _BOX + joints * columns].reshape(joints, columns)
    seen = points[:, 2] if columns == 3 else np.where((points > 0).any(1) & (points >= 0).all(1), 2, 0)
    center, sides = values[1:3] * size, values[3:5] * size
    made = np.column_stack([points[:, :2] * size, seen])
    return Person(np.where(made[:, 2:] > 0, made, 0), np.concatenate([center - sides / 2, sides]))


def _pairs(config: Mapping[str, Any], joints: int) -> Pairs | None:
    """Joints that change places in a mirrored image, of `flip_idx`."""
    order = config.get("flip_idx")
    if not order:
        return None
    whole = isinstance(order, list) and all(type(number) is int for number in order)
    if not whole or sorted(order) != list(range(joints)) or any(order[order[i]] != i for i in range(joints)):
        raise ValueError(
            f"flip_idx: expected for each of {joints} joints the number of its counterpart, got {short(order)}"
        )
    return tuple((i, j) for i, j in enumerate(order) if i < j)


def _joint_names(
    config: Mapping[str, Any], numbers: Sequence[int], joints: int, pairs: Pairs | None
) -> Sequence[str] | None:
    """Names of the joints of a class; COCO's, if joints and pairs are COCO's."""
    names = config.get("kpt_names")
    if isinstance(names, Mapping):
        names = next((names[number] for number in numbers if number in names), None)
    if not names:
        return COCO.joints if joints == len(COCO.joints) and pairs == COCO.flip_pairs else None
    if not isinstance(names, list) or len(set(map(str, names))) != joints:
        raise ValueError(f"kpt_names: expected {joints} names, each its own, got {short(names)}")
    return [str(name) for name in names]
