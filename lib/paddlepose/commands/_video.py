"""The poses of a video: reading, finding and writing go on at the same time, and people keep their numbers."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

from paddlepose.core.image import Picture
from paddlepose.core.media import Video
from paddlepose.core.track import Ids, Smoother, Tracker
from paddlepose.core.types import Poses, Skeleton

PROGRESS_SECONDS = 5.0  # between two lines about a video

_WAITING = 4  # frames that are read ahead, and that wait to be written: enough to overlap, and memory stays bounded
_SIGMA = 0.075  # of joints whose fall-off nobody has measured

_LOG = logging.getLogger(__name__)

Found = tuple[Poses, Ids | None]  # people, and their numbers if they can be told


def process(video: Video, find: Callable[[Picture], Found], write: Callable[[Picture, Found], None]) -> None:
    """Find what each frame shows, here, and write it; frames are read ahead in one thread and written in another.

    What a thread raises is raised here, and what waits to be written then is written or not.
    """
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        waiting = deque()
        for frame in _with_progress(video, _read_ahead(iter(video), reader)):
            waiting.append(writer.submit(write, frame, find(frame)))
            if len(waiting) > _WAITING:
                waiting.popleft().result()
        for written in waiting:
            written.result()


def follower(skeleton: Skeleton, frame_rate: float, *, smooth: bool) -> Callable[[Poses], Found]:
    """Function that tells, frame by frame, which number each person has, and smooths the poses if so asked.

    Without scipy nobody has a number, and nothing is smooth; the log says so.
    """
    try:
        tracker = Tracker(skeleton.sigmas or [_SIGMA] * len(skeleton.joints))
    except ModuleNotFoundError:
        without = ", --smooth does nothing" if smooth else ""
        _LOG.warning("scipy is not installed: people get no ids%s; pip install scipy", without)
        return lambda poses: (poses, None)
    smoother = Smoother(frame_rate) if smooth else None

    def follow(poses: Poses) -> Found:
        ids = tracker(poses)
        return smoother(poses, ids) if smoother else poses, ids

    return follow


def _read_ahead(frames: Iterator[Picture], reader: Executor) -> Iterator[Picture]:
    """The frames, of which some are read already when one is taken."""
    waiting = deque(reader.submit(next, frames, None) for _ in range(_WAITING))
    while (frame := waiting.popleft().result()) is not None:
        waiting.append(reader.submit(next, frames, None))
        yield frame


def _with_progress(video: Video, frames: Iterator[Picture]) -> Iterator[Picture]:
    """The frames, with a line in the log every few seconds and at the end."""
    start = last = time.perf_counter()
    done = 0
    for done, frame in enumerate(frames, 1):
        yield frame
        if time.perf_counter() - last > PROGRESS_SECONDS:
            last = time.perf_counter()
            _log_progress(video, done, last - start)
    _log_progress(video, done, time.perf_counter() - start)


def _log_progress(video: Video, done: int, seconds: float) -> None:
    total = video.frame_count or "?"
    _LOG.info("=> %s: %d/%s frames, %.1f frames/s", video.path, done, total, done / seconds)
