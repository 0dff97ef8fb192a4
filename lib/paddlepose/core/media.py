"""What poses are looked for in: pictures and videos, found by one name, a folder or a pattern."""

import logging
from collections.abc import Iterator
from pathlib import Path

import cv2

from paddlepose.core.image import PICTURE_SUFFIXES, Picture

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"})

_USUAL_FRAME_RATE = 25.0  # for a video that does not state its own
_WHOLE = 0.99  # a header's frame count may be an estimate; fewer frames than this share of it mean a broken file

_LOG = logging.getLogger(__name__)


def sources(pattern: str) -> list[Path]:
    """Pictures and videos, sorted, that a file's name, a folder (without its subfolders) or a glob pattern stands for.

    Results of earlier runs in a folder or a pattern are left out.

    Raises FileNotFoundError: there is none.
    """
    place = Path(pattern)
    if place.is_file():
        return [place]
    found = place.iterdir() if place.is_dir() else Path(place.anchor).glob(str(place.relative_to(place.anchor)))
    known = PICTURE_SUFFIXES | VIDEO_SUFFIXES
    accepted = [p for p in found if p.suffix.lower() in known and not p.name.startswith(".") and p.is_file()]
    accepted = [p for p in accepted if not _is_result(p)]
    if not accepted:
        forms = f"give a file, a folder or a quoted pattern ('a/*.jpg') of {' '.join(sorted(known))}"
        raise FileNotFoundError(f"{pattern}: no picture or video found; {forms}")
    return sorted(accepted)


def _is_result(path: Path) -> bool:
    """Whether a file is what an earlier run drew: poses of the same name lie beside it."""
    return path.stem.endswith("_result") and any(path.with_suffix(s).is_file() for s in (".json", ".jsonl"))


def is_video(path: Path) -> bool:
    """Whether a file's name is that of a video; any other source is read as a picture."""
    return path.suffix.lower() in VIDEO_SUFFIXES


class Video:
    """Frames of a video file, read one at a time and upright."""

    def __init__(self, path: Path, most_frames: float | None = None) -> None:
        """Open the file, to read every frame or every so-manieth, about `most_frames` a second.

        Raises ValueError: it is no video that OpenCV can read.
        """
        # The backend is named, as another would take digits in the name for a numbered series of pictures.
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise ValueError(f"{path}: not a video that OpenCV can read, or one that is cut off")
        stated = self._capture.get
        self.path = path
        self.frame_size = int(stated(cv2.CAP_PROP_FRAME_WIDTH)), int(stated(cv2.CAP_PROP_FRAME_HEIGHT))  # pixels
        rate = max(0.0, stated(cv2.CAP_PROP_FPS)) or _USUAL_FRAME_RATE
        self._stated_count = max(0, int(stated(cv2.CAP_PROP_FRAME_COUNT)))
        self.step = max(1, round(rate / most_frames)) if most_frames else 1  # 2: every other frame is read
        self.frame_rate = rate / self.step  # of those that are read, frames per second
        self.frame_count = -(-self._stated_count // self.step)  # likewise; may be an estimate; 0 where none is stated

    def __iter__(self) -> Iterator[Picture]:
        """The frames (H, W, 3) BGR, once. A file that breaks off ends early, with a warning in the log.

        Raises ValueError: there is not one frame.
        """
        read = 0
        while self._capture.grab():
            if read % self.step == 0:
                if (frame := self._capture.retrieve()[1]) is None:
                    break
                yield frame
            read += 1
        if not read:
            raise ValueError(f"{self.path}: no frame of this video can be read")
        if read < _WHOLE * self._stated_count:
            _LOG.warning("%s: broken: only %d of %d frames can be read", self.path, read, self._stated_count)
