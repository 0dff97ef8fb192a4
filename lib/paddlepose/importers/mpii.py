"""MPII Human Pose as its authors give it: `mpii_human_pose_v1_u12_1.mat`, a MATLAB structure of images and people.

Its test images have no joints. Images that are frames of one video are a group.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from paddlepose.core.files import entry
from paddlepose.datasets.mpii import JOINTS, LIMBS
from paddlepose.importers import Found, LeftOut, Person, Picture
from paddlepose.importers._place import Place
from paddlepose.metrics._matlab import variables

TITLE = "MPII"

_HEADER = 128  # bytes of a MATLAB file before its first variable
_COMPRESSED = 15  # the kind of a variable that is
_MOST = 2**30  # bytes of the variables unpacked; MPII's take a tenth


def find(place: Place) -> list[Path]:
    """MATLAB files with the variable RELEASE."""
    return [path for path in place.labels(".mat") if "RELEASE" in _names(path)]


def _names(path: Path) -> list[str]:
    """Names of a MATLAB file's variables; none for another file, of which scipy raises what it likes."""
    with suppress(Exception):
        return [name for name, _, _ in scipy.io.whosmat(path)]
    return []


def read(files: Sequence[Path], place: Place, wanted: Sequence[str]) -> Found:
    """People with joints. Raises ValueError: the file is malformed; the message names it."""
    left_out = LeftOut()
    pictures = [picture for path in files for picture in _pictures(path, place, left_out)]
    return Found(TITLE, "person", tuple(JOINTS), pictures, LIMBS, upright=False, left_out=left_out)


def _pictures(path: Path, place: Place, left_out: LeftOut) -> Iterator[Picture]:
    _check_size(path)
    with entry(str(path)):
        release = variables(path, variable_names=["RELEASE"], simplify_cells=True)["RELEASE"]
        images, train = _many(release["annolist"]), np.ravel(release["img_train"])
        if len(images) != len(train):
            raise ValueError(f"annolist has {len(images)} images, img_train {len(train)}")
    for i, (image, has_joints) in enumerate(zip(images, train, strict=True)):
        with entry(f"{path}: image {i + 1}"):
            name = str(image["image"]["name"])
            if not has_joints:
                left_out.add("test images, which have no joints", name)
                continue
            found = [_person(row) for row in _many(image["annorect"])]
            people = [person for person in found if person]
            left_out.add("people without joints", name, len(found) - len(people))
            if (picture := place.picture(name, path)) is None:
                left_out.add("images that are missing", name)
                continue
            video = np.ravel(image.get("vididx", []))
            yield Picture(picture, people, group=str(video[0]) if len(video) else None)


def _many(value: Any) -> list[Mapping[str, Any]]:
    """The elements of a MATLAB array of structures, which may be one or none."""
    return (
        [value] if isinstance(value, Mapping) else [row for row in np.ravel(value).tolist() if isinstance(row, Mapping)]
    )


def _person(row: Mapping[str, Any]) -> Person | None:
    """A person's joints, whose pixels the file counts from 1."""
    points = row.get("annopoints")
    points = _many(points["point"]) if isinstance(points, Mapping) and "point" in points else []
    joints = np.zeros((len(JOINTS), 3))
    for point in points:
        hidden = str(point.get("is_visible", 1)) in ("0", "0.0")
        if (number := int(point["id"])) not in range(len(JOINTS)):
            raise ValueError(f"a joint has the number {number}; MPII has {len(JOINTS)}, from 0")
        joints[number] = (float(point["x"]) - 1, float(point["y"]) - 1, 1 if hidden else 2)
    return Person(joints) if points else None


def _check_size(path: Path) -> None:
    """Refuse a file that would take memory without end. Raises ValueError: that it would, or that it is damaged."""
    data, size, start = path.read_bytes(), 0, _HEADER
    order = "<" if data[126:128] == b"IM" else ">"
    while start + 8 <= len(data):
        kind, length = struct.unpack_from(f"{order}II", data, start)
        start += 8
        stream, chunk = zlib.decompressobj(), data[start : start + length]
        while kind == _COMPRESSED and chunk:
            with entry(str(path)):
                size += len(stream.decompress(chunk, 2**20))
            chunk = stream.unconsumed_tail
            if size > _MOST:
                raise ValueError(f"{path}: would unpack to more than {_MOST >> 20} MB")
        start += length
