"""What poses are looked for in: pictures and videos, found by one name, a folder or a pattern."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import cv2
import numpy as np

from paddlepose.core.image import PICTURE_SUFFIXES, Picture
from paddlepose.core.streams import Address, Live, connect

VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .flv .f4v .wmv .asf .3gp .3g2 .ts .mts .m2ts .vob .ogv .gif".split()
)

_USUAL_FRAME_RATE = 25.0  # for a video that does not state its own
_FASTEST = 240.0  # frames a second; time stamps closer than that are damaged
_ROUNDING = 0.001  # seconds; many containers round their time stamps to milliseconds
_WHOLE = 0.99  # a header's frame count and duration may be estimates; less than this share of both is a broken file
_MOST_NAMES = 5  # in the line about what is skipped

_LOG = logging.getLogger(__name__)


class Frame(NamedTuple):
    """A picture of a video."""

    picture: Picture  # (H, W, 3) BGR
    number: int  # in the video, from 0
    time: float  # seconds after the video's beginning, by the container's time stamps


def sources(pattern: str, *, recursive: bool = False) -> list[Path]:
    """Pictures and videos, sorted, that a file's name, a folder or a glob pattern stands for.

    A folder's subfolders are looked into if `recursive`. Results of earlier runs and files of other kinds are left out,
    with a line in the log.

    Raises FileNotFoundError: there is none.
    """
    place = Path(pattern)
    if place.is_file():
        return [place]
    if place.is_dir():
        found = (path for path in place.glob("**/*" if recursive else "*") if not _is_hidden(path.relative_to(place)))
    else:
        pattern_below = str(place.relative_to(place.anchor))
        found = (path for path in Path(place.anchor).glob(pattern_below) if not _is_hidden(Path(path.name)))
    files = sorted(path for path in found if path.is_file())
    known = PICTURE_SUFFIXES | VIDEO_SUFFIXES
    accepted = [path for path in files if path.suffix.lower() in known and not _is_result(path)]
    _log_skipped(pattern, sorted(set(files) - set(accepted)))
    if not accepted:
        forms = f"give a file, a folder or a quoted pattern ('a/*.jpg') of {' '.join(sorted(known))}"
        deeper = "" if recursive or not place.is_dir() else "; --recursive looks into its subfolders too"
        raise FileNotFoundError(f"{pattern}: no picture or video found; {forms}{deeper}")
    return accepted


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_result(path: Path) -> bool:
    """Whether a file is what an earlier run drew: poses of its name, or of its folder of frames, lie beside it."""
    folder = path.parent
    if folder.name.endswith("_frames"):
        return folder.with_name(f"{folder.name.removesuffix('_frames')}_result.jsonl").is_file()
    return path.stem.endswith("_result") and any(path.with_suffix(s).is_file() for s in (".json", ".jsonl"))


def _log_skipped(pattern: str, paths: Sequence[Path]) -> None:
    if paths:
        names = [path.name for path in paths[:_MOST_NAMES]] + ["..."] * (len(paths) > _MOST_NAMES)
        kinds = "no picture or video, or a result of an earlier run"
        _LOG.info("=> %s: %d files skipped (%s): %s", pattern, len(paths), kinds, ", ".join(names))


def is_video(path: Path) -> bool:
    """Whether a file's name is that of a video; any other source is read as a picture."""
    return path.suffix.lower() in VIDEO_SUFFIXES


class Pace:
    """Tells which frames to take so that there are as many a second as asked for, whatever their own rate."""

    def __init__(self, most_frames: float | None) -> None:
        """Take `most_frames` a second, or all."""
        self.most_frames = most_frames
        self._due = 0  # number of the next one that is wanted

    def takes(self, time: float) -> bool:
        """Whether the frame at `time`, in seconds, is to be taken: the first at or after each time that is due."""
        if self.most_frames is None:
            return True
        passed = int((time + _ROUNDING) * self.most_frames)
        if passed < self._due:
            return False
        self._due = passed + 1
        return True


class Video:
    """Frames of a video file, a stream or a camera, read one at a time and upright."""

    def __init__(self, path: Path | Address, most_frames: float | None = None) -> None:
        """Open it, to read every frame or so many a second at most.

        Raises ValueError: it is no video that OpenCV can read.
        """
        # The backend is named, as another would take digits in the name for a numbered series of pictures.
        is_file = isinstance(path, Path)
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG) if is_file else connect(path)
        if not capture.isOpened():
            problem = "not a video that OpenCV can read, or one that is cut off"
            raise ValueError(f"{path}: {problem if is_file else 'no camera, stream or video that OpenCV can open'}")
        self.path = path
        size = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        self.frame_size = int(size[0]), int(size[1])  # pixels
        rate = min(max(0.0, capture.get(cv2.CAP_PROP_FPS)) or _USUAL_FRAME_RATE, _FASTEST)
        self._stated_count = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._stated_seconds = self._stated_count / rate
        self.live = not is_file and self._stated_count == 0  # has no end of its own
        self._capture = Live(path, capture) if self.live else capture
        times = _packet_times(path) if is_file else []
        self._rate = _highest_rate(times) or rate
        self._most_frames = most_frames
        # Of those that are read: frames a second where they follow each other most closely, and how many there are, 0
        # where that is not known.
        self.frame_rate = min(self._rate, most_frames or self._rate)
        self.frame_count = sum(map(Pace(most_frames).takes, times))

    def __iter__(self) -> Iterator[Frame]:
        """The frames, once. A file that breaks off ends early, with a warning in the log.

        Raises ValueError: there is not one frame.
        """
        pace, read, time, longest, start = Pace(self._most_frames), 0, 0.0, 0.0, monotonic()
        while self._capture.grab():
            stamp = monotonic() - start if self.live else self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            before, time = time, stamp if not read or stamp > time else time + 1 / self._rate  # damaged: goes on
            longest = max(longest, time - before)
            if pace.takes(time):
                if (picture := self._capture.retrieve()[1]) is None:
                    break
                yield Frame(picture, read, time)
            read += 1
        if not read:
            raise ValueError(f"{self.path}: no frame of this video can be read")
        if read < _WHOLE * self._stated_count and time + longest < _WHOLE * self._stated_seconds:
            _LOG.warning("%s: broken: only %d of %d frames can be read", self.path, read, self._stated_count)

    def close(self) -> None:
        """Have a stream that breaks off not opened again."""
        if self.live:
            self._capture.close()


def _packet_times(path: Path) -> list[float]:
    """Times of a video's frames in seconds, in order; nothing is decoded. None where it has no packets to be read."""
    capture, times = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1]), []
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    return sorted(times)


def _highest_rate(times: Sequence[float]) -> float | None:
    """Frames a second where frames follow each other most closely, but for a few; None where there are too few."""
    gaps = np.diff(times)
    gaps = gaps[gaps >= 1 / _FASTEST]
    if not len(gaps):
        return None
    short = np.quantile(gaps, 0.1, method="lower")
    return round(float(1 / gaps[np.abs(gaps - short) < short / 2].mean()), 3)
