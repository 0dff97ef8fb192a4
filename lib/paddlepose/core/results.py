"""What is kept of the poses found: drawn pictures and videos, and the numbers beside them as JSON."""

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import cv2

from paddlepose.core.files import folder_beside, remove_leftovers, silence, written_beside
from paddlepose.core.image import Picture
from paddlepose.core.media import Frame

People = list[dict[str, Any]]  # what Poses.to_json gives: one object a person

_SUFFIXES = (".jpg", ".json", ".webm", ".jsonl")  # of the results of a source
_JPEG_LIMIT = 65500  # pixels a side
_FRAME_NAME = f"{'[0-9]' * 8}.jpg"  # as a pattern
_LONGEST = 60.0  # seconds that a frame stays in a film: time stamps farther apart are mostly damaged

_LOG = logging.getLogger(__name__)

AddFrame = Callable[[Frame, People], None]


def result_stems(paths: Sequence[Path], out: Path) -> list[Path]:
    """Beginning of the names of each source's results, in the folder `out`; no two are the same.

    A source keeps its folder below the one that all sources share. Two that differ only in the suffix keep that too.
    """
    places = [path.absolute() for path in paths]
    shared = os.path.commonpath([place.parent for place in places])
    inside = [out / place.relative_to(shared) for place in places]
    same = Counter(place.with_suffix("") for place in inside)
    return [place.with_suffix("") if same[place.with_suffix("")] == 1 else place for place in inside]


def check_inputs_are_kept(
    paths: Sequence[Path], stems: Sequence[Path | None], *, frames: bool = False, tables: Sequence[Path] = ()
) -> None:
    """Hold the results of all sources, and the files of all results, to other files than the sources.

    Raises ValueError: one would be overwritten.
    """
    inputs = {path.resolve() for path in paths}
    for table in tables:
        if table.resolve() in inputs:
            raise ValueError(f"{table}: results would overwrite this input: choose another name for them")
    if frames:  # the folder that they are written to loses what has such a name
        inputs |= {path.parent for path in inputs if path.match(_FRAME_NAME)}
    for path, stem in zip(paths, stems, strict=True):
        for result in [*(_result(stem, suffix) for suffix in _SUFFIXES), _frames_of(stem)] if stem else []:
            if result.resolve() in inputs:
                raise ValueError(
                    f"{path}: its result would overwrite the input {result}: choose another folder as --out"
                )


def remove_unfinished(stems: Iterable[Path]) -> None:
    """Delete what killed processes have left of results of these or of other sources in the same folders."""
    for folder in {stem.parent for stem in stems}:
        for kind in ("result", "frames"):
            remove_leftovers(folder, f".*_{kind}*")


def _result(stem: Path, suffix: str) -> Path:
    return stem.with_name(f"{stem.name}_result{suffix}")


def write_picture_results(stem: Path, drawn: Picture, people: People) -> None:
    """Write the drawn picture as `<stem>_result.jpg` and the people as `<stem>_result.json`.

    Raises OSError: the folder or the files cannot be written; ValueError: the picture is too large for the JPEG format.
    """
    if max(drawn.shape) > _JPEG_LIMIT:
        raise ValueError(f"{stem}: {drawn.shape[1]}x{drawn.shape[0]} pixels are more than a JPEG file can hold")
    with written_beside(_result(stem, ".jpg")) as path:
        path.write_bytes(cv2.imencode(".jpg", drawn)[1].tobytes())
    with written_beside(_result(stem, ".json")) as path:
        path.write_text(json.dumps({"people": people}, indent=1, allow_nan=False) + "\n")


@contextmanager
def video_results(
    stem: Path, frame_size: tuple[int, int], frame_rate: float, *, frames: bool = False
) -> Iterator[AddFrame]:
    """Function that adds a drawn frame and its people to `<stem>_result.webm` (VP8) and `<stem>_result.jsonl`.

    A line of the second holds the frame's number, its time in seconds and its people. The film has `frame_rate` frames
    a second, and shows each drawn frame until the time of the next. With `frames` each is a picture as well,
    `<stem>_frames/00000001.jpg` by its number. All appear when the block ends well. VP8 takes even sizes only: a last
    odd row or column is left out.

    Raises OSError: the folder or the files cannot be written; ValueError: no VP8 video has frames of that size.
    """
    with (
        written_beside(_result(stem, ".webm")) as path,
        written_beside(_result(stem, ".jsonl")) as table,
        table.open("w") as lines,
        ExitStack() as at_exit,
    ):
        film = at_exit.enter_context(closing(_Film(stem, path, frame_size, frame_rate)))
        folder = at_exit.enter_context(_frames(_frames_of(stem))) if frames else None

        def add(drawn: Frame, people: People) -> None:
            """Write the next frame and its people."""
            film.add(drawn)
            row = {"frame": drawn.number, "time": round(drawn.time, 4), "people": people}
            lines.write(json.dumps(row, allow_nan=False) + "\n")
            if folder:
                (folder / f"{drawn.number:08}.jpg").write_bytes(cv2.imencode(".jpg", drawn.picture)[1].tobytes())

        yield add


class _Film:
    """Writes a video of constant rate, in which each frame stays until the time of the next."""

    def __init__(self, stem: Path, path: Path, size: tuple[int, int], rate: float) -> None:
        """Begin a file of frames of (width, height). Raises ValueError: no VP8 video has frames of that size."""
        with silence():  # OpenCV complains of the very tag that makes it write VP8
            self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), rate, size)
        if not self._writer.isOpened():
            raise ValueError(f"{stem}: OpenCV cannot write a VP8 video of {size[0]}x{size[1]} pixels")
        self._stem, self._size, self._rate = stem, size, rate
        self._shown: Picture | None = None
        self._place = 0  # of the frame that is shown, in frames from the beginning

    def add(self, frame: Frame) -> None:
        """Show a frame from its time on."""
        place = round(frame.time * self._rate)
        if self._shown is not None:
            gap, most = place - self._place, round(_LONGEST * self._rate)
            if gap > most:
                about = self._stem, gap / self._rate, frame.number
                _LOG.warning("%s: the film shows a minute of the %.0f s before frame %d", *about)
            for _ in range(min(gap, most)):
                self._writer.write(self._shown)
        same_size = frame.picture.shape[1::-1] == self._size  # OpenCV leaves others out
        self._shown = frame.picture if same_size else cv2.resize(frame.picture, self._size)
        self._place = max(place, self._place)

    def close(self) -> None:
        """Write the last frame, and end the file."""
        if self._shown is not None:
            self._writer.write(self._shown)
        self._writer.release()


def _frames_of(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}_frames")


@contextmanager
def _frames(folder: Path) -> Iterator[Path]:
    """Folder to write numbered pictures to; they take the place of those in `folder` when the block ends well."""
    with folder_beside(folder) as unfinished:
        yield unfinished
        folder.mkdir(exist_ok=True)
        for old in folder.glob(_FRAME_NAME):
            old.unlink()
        for new in unfinished.iterdir():
            new.replace(folder / new.name)
