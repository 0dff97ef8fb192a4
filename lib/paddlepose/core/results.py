"""What is kept of the poses found: drawn pictures and videos, and the numbers beside them as JSON."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2

from paddlepose.core.files import silence, written_beside
from paddlepose.core.image import Picture

People = list[dict[str, Any]]  # what Poses.to_json gives: one object a person

_JPEG_LIMIT = 65500  # pixels a side

AddFrame = Callable[[Picture, People], None]


def result_stems(paths: Sequence[Path], out: Path) -> list[Path]:
    """Beginning of the names of each source's results, in the folder `out`; no two are the same.

    A source keeps its folder below the one that all sources share. Two that differ only in the suffix keep that too.
    """
    places = [path.absolute() for path in paths]
    shared = os.path.commonpath([place.parent for place in places])
    inside = [out / place.relative_to(shared) for place in places]
    same = Counter(place.with_suffix("") for place in inside)
    return [place.with_suffix("") if same[place.with_suffix("")] == 1 else place for place in inside]


def check_inputs_are_kept(paths: Sequence[Path], stems: Sequence[Path]) -> None:
    """Hold the results of all sources to other files than the sources. Raises ValueError: one would be overwritten."""
    inputs = {path.resolve() for path in paths}
    for path, stem in zip(paths, stems, strict=True):
        for suffix in (".jpg", ".json", ".webm", ".jsonl"):
            if (result := _result(stem, suffix)).resolve() in inputs:
                raise ValueError(
                    f"{path}: its result would overwrite the input {result}: choose another folder as --out"
                )


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
    stem: Path, frame_size: tuple[int, int], frame_rate: float, *, step: int = 1, frames: bool = False
) -> Iterator[AddFrame]:
    """Function that adds a drawn frame and its people to `<stem>_result.webm` (VP8) and `<stem>_result.jsonl`.

    A line of the second holds the frame's number, 0, `step` and so on, its time in seconds and its people. With
    `frames` each is a picture as well, `<stem>_frames/00000001.jpg` by its number. All appear when the block ends well.
    VP8 takes even sizes only: a last odd row or column is left out.

    Raises OSError: the folder or the files cannot be written; ValueError: no VP8 video has frames of that size.
    """
    with (
        written_beside(_result(stem, ".webm")) as film,
        written_beside(_result(stem, ".jsonl")) as table,
        table.open("w") as lines,
        ExitStack() as at_exit,
    ):
        with silence():  # OpenCV complains of the very tag that makes it write VP8
            writer = cv2.VideoWriter(str(film), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), frame_rate, frame_size)
        at_exit.callback(writer.release)
        if not writer.isOpened():
            raise ValueError(f"{stem}: OpenCV cannot write a VP8 video of {frame_size[0]}x{frame_size[1]} pixels")
        folder = at_exit.enter_context(_frames(stem.with_name(f"{stem.name}_frames"))) if frames else None
        numbers = count(0, step)

        def add(drawn: Picture, people: People) -> None:
            """Write the next frame and its people."""
            number = next(numbers)
            writer.write(drawn)
            seconds = round(number / step / frame_rate, 4)
            lines.write(json.dumps({"frame": number, "time": seconds, "people": people}, allow_nan=False) + "\n")
            if folder:
                (folder / f"{number:08}.jpg").write_bytes(cv2.imencode(".jpg", drawn)[1].tobytes())

        yield add


@contextmanager
def _frames(folder: Path) -> Iterator[Path]:
    """Folder to write numbered pictures to; they take the place of those in `folder` when the block ends well."""
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
        yield Path(beside)
        folder.mkdir(exist_ok=True)
        for old in folder.glob(f"{'[0-9]' * 8}.jpg"):
            old.unlink()
        for new in Path(beside).iterdir():
            new.replace(folder / new.name)
