"""The poses of a video: reading, finding and writing go on at the same time, and in order."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import count, islice, takewhile
from typing import Any, TypeVar

from paddlepose.core.media import Frame, Video

PROGRESS_SECONDS = 5.0  # between two lines about a video
FINDERS = 2  # frames that are looked at at a time

_WAITING = 4  # frames that are read ahead, and that wait to be written: enough to overlap, and memory stays bounded

_LOG = logging.getLogger(__name__)

Found = TypeVar("Found")


def process(
    video: Video, find: Callable[[Frame], Found], follow: Callable[[Found], Found], write: Callable[[Found], None]
) -> None:
    """Find the people of each frame, follow them and write both; frames are read, looked at and written in threads.

    Two frames are looked at at a time: what a network leaves idle, the other's poses use. All else is done in order.
    What a thread raises is raised here, and what waits to be written then is written or not.
    """
    with (
        ThreadPoolExecutor(1) as reader,
        ThreadPoolExecutor(FINDERS) as finder,
        ThreadPoolExecutor(1) as writer,
        closing(video),
    ):
        unread = iter(video)
        read = _ahead((reader.submit(next, unread, None) for _ in count()), _WAITING)
        frames = takewhile(lambda frame: frame is not None, read)
        found = _ahead((finder.submit(find, frame) for frame in frames), FINDERS)
        written = _ahead((writer.submit(write, follow(result)) for result in found), _WAITING)
        _show_progress(video, written)


def _ahead(submitted: Iterator[Future], most: int) -> Iterator[Any]:
    """The results of what is submitted, in its order, with `most` under way while one is used."""
    waiting = deque(islice(submitted, most))
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(islice(submitted, 1))
        yield result


def _show_progress(video: Video, written: Iterator[None]) -> None:
    """Wait for all frames to be written, with a line in the log every few seconds and at the end."""
    start = last = time.perf_counter()
    done = 0
    for done, _ in enumerate(written, 1):
        if time.perf_counter() - last > PROGRESS_SECONDS:
            last = time.perf_counter()
            _log_progress(video, done, last - start)
    _log_progress(video, done, time.perf_counter() - start)


def _log_progress(video: Video, done: int, seconds: float) -> None:
    total = video.frame_count or "?"
    _LOG.info("=> %s: %d/%s frames, %.1f frames/s", video.path, done, total, done / seconds)
