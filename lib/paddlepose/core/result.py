"""What a predictor gives: the people found in a picture, by name and number, and every form they are wanted in."""

import csv
import importlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from paddlepose.core.boxes import boxes_around
from paddlepose.core.draw import draw
from paddlepose.core.files import written_beside
from paddlepose.core.image import PICTURE_SUFFIXES, Picture, read_picture
from paddlepose.core.streams import Address
from paddlepose.core.types import Poses, Skeleton

Floats = NDArray[np.float64]
Row = dict[str, Any]

COLUMNS = ("file", "frame", "id", "joint", "x", "y", "score")  # of a table of joints


class Joint(NamedTuple):
    """Where a joint is, in pixels of the picture, and how sure that is."""

    x: float
    y: float
    score: float


@dataclass(frozen=True, eq=False, repr=False)
class FoundPerson:
    """One of a result's people: `person["left_wrist"]` is a joint; it unpacks into joints, their scores and its own."""

    xy: Floats  # (K, 2) pixels of the picture
    scores: Floats  # (K,)
    score: float
    box: Floats  # (4,) x, y, width, height
    id: int | None  # number in a video
    names: tuple[str, ...]  # of the K joints

    def __getitem__(self, joint: str) -> Joint:
        """A joint by its name. Raises KeyError: there is none of that name; the message has all names."""
        if joint not in self.names:
            raise KeyError(f"no joint {joint!r}; there are {', '.join(self.names)}")
        place = self.names.index(joint)
        return Joint(*self.xy[place].tolist(), float(self.scores[place]))

    def __iter__(self) -> Iterator[Any]:
        """The joints (K, 2), their scores (K,) and the person's score."""
        yield from (self.xy, self.scores, self.score)

    def __repr__(self) -> str:
        """One line."""
        number = "" if self.id is None else f"id {self.id}, "
        return f"FoundPerson({number}score {self.score:.2f}, box {' '.join(f'{x:.0f}' for x in self.box)})"


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The people found in a picture, or in a frame of a video."""

    poses: Poses  # N of them, of K joints
    skeleton: Skeleton
    size: tuple[int, int]  # (width, height) of the picture
    used: Floats | None = None  # boxes (N, 4) from which the people were cropped; none if the network needs no boxes
    ids: NDArray[np.int64] | None = None  # numbers (N,) of the people, where they are followed through a video
    path: Path | Address | None = None  # of the picture or the video, where it is a file or an address
    frame: int | None = None  # number in a video, from 0
    time: float | None = None  # seconds in a video
    picture: Picture | None = None  # (H, W, 3) BGR, where it is not to be read from `path`

    @property
    def xy(self) -> Floats:
        """Joints (N, K, 2) in pixels of the picture."""
        return self.poses.xy

    @property
    def scores(self) -> Floats:
        """Confidence (N, K) of the joints."""
        return self.poses.scores

    @property
    def score(self) -> Floats:
        """Confidence (N,) of the people."""
        return self.poses.score

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K joints."""
        return self.skeleton.joints

    @cached_property
    def boxes(self) -> Floats:
        """Boxes (N, 4: x, y, width, height): those that were used, else such as lie around the joints."""
        if self.used is not None:
            return self.used
        return boxes_around(Poses(self.xy, self.scores, np.ones(len(self))))[:, :4]

    def __len__(self) -> int:
        """Number of people."""
        return len(self.poses)

    def __iter__(self) -> Iterator[FoundPerson]:
        """The people."""
        return map(self.__getitem__, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> FoundPerson: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | NDArray[np.generic]) -> "Result": ...

    def __getitem__(self, index: Any) -> "FoundPerson | Result":
        """A person by number, or a result with those whom a slice, a mask (N,) or indices pick."""
        if isinstance(index, (int, np.integer)):
            number = None if self.ids is None else int(self.ids[index])
            score = float(self.score[index])
            return FoundPerson(self.xy[index], self.scores[index], score, self.boxes[index], number, self.names)
        picked = {name: value[index] for name in ("used", "ids") if (value := getattr(self, name)) is not None}
        return replace(self, poses=self.poses[index], **picked)

    def __repr__(self) -> str:
        """One line."""
        where = "" if self.path is None else f", {self.path}"
        frame = "" if self.frame is None else f" frame {self.frame}"
        people = "1 person" if len(self) == 1 else f"{len(self)} people"
        return f"Result({people}, {len(self.names)} joints, {self.size[0]}x{self.size[1]}{where}{frame})"

    def draw(self, threshold: float = 0.1) -> Picture:
        """Copy of the picture (H, W, 3) BGR with skeletons: joints whose score is above `threshold`."""
        picture = read_picture(Path(self.path), upright=True) if self.picture is None else self.picture
        labels = () if self.ids is None else self.ids.tolist()
        return draw(picture, self.poses, self.skeleton, threshold=threshold, labels=labels)

    def save(self, path: str | Path) -> None:
        """Write the drawn picture, the people (.json) or the table (.csv): the name's ending says which.

        Raises ValueError: the ending is none of these; OSError: the file cannot be written.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix in (".json", ".csv"):
            content = (self.to_json() if suffix == ".json" else self.to_csv()).encode()
        elif suffix in PICTURE_SUFFIXES and cv2.haveImageWriter(path.name):
            content = cv2.imencode(suffix, self.draw())[1].tobytes()
        else:
            raise ValueError(f"{path}: expected a name that ends as a picture's, such as .jpg, or in .json or .csv")
        with written_beside(path) as beside:
            beside.write_bytes(content)

    def people(self) -> list[Row]:
        """One object a person, for JSON: `id` and `box` where there are any, `score`, and by joint x, y and score."""
        rows = []
        for i, person in enumerate(self.poses.to_json(self.skeleton)):
            number = {} if self.ids is None else {"id": int(self.ids[i])}
            box = {} if self.used is None else {"box": [round(x, 2) for x in self.used[i].tolist()]}
            rows.append({**number, "score": person["score"], **box, "keypoints": person["keypoints"]})
        return rows

    def to_dict(self) -> Row:
        """All of it as numbers, text and lists, for JSON; what there is none of is left out."""
        time = None if self.time is None else round(self.time, 4)
        path = None if self.path is None else str(self.path)
        about = {"file": path, "frame": self.frame, "time": time}
        about = {name: value for name, value in about.items() if value is not None}
        return {**about, "size": list(self.size), "people": self.people()}

    def to_json(self) -> str:
        """What `to_dict` gives, as one line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Rows of `COLUMNS`, one a joint; `id` is a person's number, in the picture where none is known beyond it."""
        about = ("" if self.path is None else str(self.path), "" if self.frame is None else self.frame)
        for i, person in enumerate(self.people(), 1):
            for name, place in person["keypoints"].items():
                yield (*about, person.get("id", i), name, *place)

    def to_csv(self) -> str:
        """A table of the joints with a line of titles: file, frame, id, joint, x, y, score."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *self.rows()])
        return text.getvalue()

    def to_pandas(self) -> Any:
        """The table of `to_csv` as a `pandas.DataFrame`. Raises ModuleNotFoundError: pandas is not installed."""
        return _optional("pandas").DataFrame(list(self.rows()), columns=COLUMNS)

    def to_supervision(self) -> Any:
        """The people as `supervision.KeyPoints`. Raises ModuleNotFoundError: supervision is not installed."""
        return _optional("supervision").KeyPoints(
            xy=self.xy.astype(np.float32),
            class_id=np.zeros(len(self), int),
            keypoint_confidence=self.scores.astype(np.float32),
            detection_confidence=self.score.astype(np.float32),
        )

    def to_coco(self, image_id: int | None = None, category_id: int = 1) -> list[Row]:
        """Rows of a COCO results file, as `cocoapi/evaluate.py` and others take them.

        Without `image_id` it is the number at the end of the file's name. Raises ValueError: there is none.
        """
        if image_id is None:
            if not (number := re.search(r"\d+$", Path(str(self.path)).stem)):
                raise ValueError(f"{self.path}: no number at the end of its name: give image_id")
            image_id = int(number[0])
        return pose_rows(image_id, self.poses, category_id)


def pose_rows(image: Any, poses: Poses, category: Any = 1) -> list[Row]:
    """Rows of a results file: an image's poses, each with the box around all its joints."""
    low, size = poses.xy.min(1, initial=np.inf), np.ptp(poses.xy, axis=1)
    joints = np.concatenate([poses.xy, poses.scores[..., None]], -1).reshape(len(poses), 3 * poses.scores.shape[1])
    return [
        {"image_id": image, "category_id": category, "keypoints": points, "score": score, "bbox": box}
        for points, score, box in zip(
            joints.tolist(), poses.score.tolist(), np.concatenate([low, size], 1).tolist(), strict=True
        )
    ]


def _optional(name: str) -> ModuleType:
    """A package that only those need who ask for it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"this needs the package {name}: pip install {name}", name=name) from error
