"""What all predictors share: from whatever shows people to results."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from paddlepose.core.boxes import Rows
from paddlepose.core.files import entry
from paddlepose.core.image import Picture, read_picture
from paddlepose.core.media import Video, is_video, sources
from paddlepose.core.result import Floats, Result
from paddlepose.core.streams import Address, address, fetch
from paddlepose.core.track import follower
from paddlepose.core.types import Card, Poses

Found = tuple[Poses, Floats | None]  # poses, and the boxes (N, 4) that they were cropped from

_LOG = logging.getLogger(__name__)


class Predictor(ABC):
    """Finds the poses in a picture, a list or a folder of pictures, or a video."""

    card: Card
    together: ClassVar[int] = 1  # pictures of a list that are held at a time, and go through the network together

    @abstractmethod
    def find(self, pictures: Sequence[Picture], rows: Sequence[Rows | None]) -> list[Found]:
        """Poses of each picture (H, W, 3: uint8, BGR), in its pixels; `rows` (N, 5) are boxes and scores if given."""

    def look(self, picture: Picture, rows: Rows | None = None, **about: Any) -> Result:
        """The people in one picture; `about` are other fields of the result."""
        ((poses, boxes),) = self.find([picture], [rows])
        return Result(poses, self.card.skeleton, picture.shape[1::-1], boxes, picture=picture, **about)

    def __call__(self, source: Any, boxes: Any = None, scores: Any = None) -> Result | list[Result] | Iterator[Result]:
        """The people in whatever shows some.

        Args:
            source: a picture, as an array (H, W, 3: uint8, BGR), a file's name, a web address or a picture of PIL, for
                a `Result`; a list of these, a folder or a pattern, for a list of results; a video, a stream's address
                or a camera's number, for results one by one.
            boxes: (N, 4: x, y, width, height) in pixels of the picture, one a person, for a top-down model; of a list
                or folder one such array a picture. Without them the model's detector finds the people.
            scores: (N,) of the boxes, a factor in those of the poses; of a list likewise.

        Raises FileNotFoundError: there is no such file; ValueError: it is no picture or video, or the boxes are none.
        """
        source = _resolved(source)
        if isinstance(source, Video):
            return self._follow(source, _rows(boxes, scores, source.frame_size))
        if isinstance(source, list):
            return self._all(source, boxes, scores)
        picture, path = source
        return self.look(picture, _rows(boxes, scores, picture.shape[1::-1]), path=path)

    def _follow(self, video: Video, rows: Rows | None) -> Iterator[Result]:
        """The people in each frame of a video, with their numbers."""
        follow = follower(self.card.skeleton)
        for picture, number, time in video:
            result = self.look(picture, rows, path=video.path, frame=number, time=time)
            poses, ids = follow(result.poses, time)
            yield replace(result, poses=poses, ids=ids)

    def _all(self, items: Sequence[Any], boxes: Any, scores: Any) -> list[Result]:
        """The people in each picture of a list; files are read again if they are to be drawn."""
        entries = zip(count(), items, _each(boxes, items, "boxes"), _each(scores, items, "scores"), strict=False)
        results: list[Result] = []
        while turn := list(islice(entries, self.together)):
            pictures, paths, rows = zip(*(_read_entry(*given) for given in turn), strict=True)
            for picture, path, (poses, used) in zip(pictures, paths, self.find(pictures, rows), strict=True):
                kept = None if isinstance(path, Path) else picture
                size = picture.shape[1::-1]
                results.append(Result(poses, self.card.skeleton, size, used, path=path, picture=kept))
        return results


def _resolved(source: Any) -> Video | list[Any] | tuple[Picture, Path | Address | None]:
    """A source as a video, as a list of pictures, or as one picture and where it is from."""
    if isinstance(source, (int, np.integer)):
        return Video(Address(str(source)))
    if isinstance(source, (list, tuple)):
        return list(source)
    if isinstance(source, str) and (where := address(source)):
        picture = fetch(where)
        return Video(where) if picture is None else (picture, where)
    if not isinstance(source, (str, Path)):
        return _read(source)
    paths = sources(str(source))
    if paths == [Path(source)]:
        return Video(paths[0]) if is_video(paths[0]) else _read(paths[0])
    pictures = [path for path in paths if not is_video(path)]
    if videos := len(paths) - len(pictures):
        _LOG.warning("%s: %d videos left out: give each by itself", source, videos)
    return pictures


def _read(item: Any) -> tuple[Picture, Path | Address | None]:
    """A picture (H, W, 3: uint8, BGR), and where it is from. Raises ValueError: it is none."""
    if isinstance(item, str) and (where := address(item)):
        if (picture := fetch(where)) is None:
            raise ValueError(f"{where}: expected a picture, not a stream or a camera: give these by themselves")
        return picture, where
    if isinstance(item, (str, Path)):
        if is_video(path := Path(item)) or path.is_dir():
            kind = "folder" if path.is_dir() else "video"
            raise ValueError(f"{path}: expected a picture, not a {kind}: give {kind}s by themselves")
        return read_picture(path, upright=True), path
    if hasattr(item, "convert"):  # PIL's, whose channels are red, green, blue
        item = np.ascontiguousarray(np.asarray(item.convert("RGB"))[..., ::-1])
    if not isinstance(item, np.ndarray):
        kinds = "an array, a file's name, an address or a picture of PIL"
        raise ValueError(f"a picture: expected {kinds}, got {type(item).__name__}")
    if item.dtype != np.uint8 or item.ndim != 3 or item.shape[2] != 3 or not item.size:
        form = "expected an array of uint8 and shape (H, W, 3), in the order blue, green, red"
        raise ValueError(f"a picture: {form}, got {item.dtype} and {item.shape}")
    return item, None


def _read_entry(number: int, item: Any, boxes: Any, scores: Any) -> tuple[Picture, Path | Address | None, Rows | None]:
    """A picture of a list, where it is from, and the rows of its boxes. Raises ValueError: it is none, or they are."""
    with entry(f"picture {number} of the list"):
        picture, path = _read(item)
        return picture, path, _rows(boxes, scores, picture.shape[1::-1])


def _each(values: Any, items: Sequence[Any], name: str) -> Sequence[Any]:
    """The boxes or scores of each picture of a list. Raises ValueError: they are not as many."""
    if values is None:
        return [None] * len(items)
    if not hasattr(values, "__len__") or isinstance(values, (str, dict)) or len(values) != len(items):
        count = len(values) if hasattr(values, "__len__") else values
        raise ValueError(f"{name}: expected those of each of the {len(items)} pictures, one after another, got {count}")
    return values


def _rows(boxes: Any, scores: Any, size: tuple[int, int]) -> Rows | None:
    """Rows (N, 5) of the boxes given for a picture of (width, height); None where none are.

    Raises ValueError: they cannot be boxes.
    """
    if boxes is None:
        if scores is not None:
            raise ValueError("scores: they are those of boxes, and there are none")
        return None
    given = _numbers(boxes, "boxes", "numbers x, y, width, height, one row a person")
    if (given.shape[-1:] != (4,) and given.size) or given.ndim > 2:
        raise ValueError(f"boxes: expected shape (N, 4), x, y, width, height of each, got {given.shape}")
    given = given.reshape(-1, 4)
    start, end = given[:, :2], given[:, :2] + given[:, 2:]
    shows = np.isfinite(given).all(1) & ((given[:, 2:] > 0) & (start < size) & (end > 0)).all(1)
    if not shows.all():
        i, part = int(shows.argmin()), f"part of the {size[0]}x{size[1]} pixels"
        got = f"{given[i].tolist()} in row {i}"
        raise ValueError(f"boxes: expected x, y, width, height that show {part}, got {got}")
    if scores is None:
        return np.column_stack([given, np.ones(len(given))])
    factors = _numbers(scores, "scores", "a number for each box")
    if factors.shape != (len(given),) or not np.isfinite(factors).all():
        raise ValueError(f"scores: expected {len(given)} finite numbers, one a box, got {factors.tolist()}")
    return np.column_stack([given, factors])


def _numbers(values: Any, name: str, expected: str) -> Floats:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.size and array.dtype.kind not in "iuf":
        raise ValueError(f"{name}: expected {expected}, got {' '.join(repr(values).split()):.80}")
    return array.astype(np.float64)
